import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { type MemoryFigures, memoryFigures } from '../../operations/memory-figures.ts';
import { memoryReport } from '../../operations/memory-report.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from '../command.ts';
import { help } from './help.ts';

/** SAMPLES is taken and not needed: every entry knows its size. */
function usage({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  for (let i = 3; i < args.count; i += 2) {
    if (!args.equalsIgnoreCase(i, 'SAMPLES') || i + 1 === args.count) return reply.error(SYNTAX_ERROR);
    const samples = args.bigint(i + 1);
    if (samples === null) return reply.error(NOT_AN_INTEGER);
    if (samples < 0n) return reply.error(SYNTAX_ERROR);
  }
  const slot = keyspace.find(args.buffer, args.start(2), args.end(2));
  if (slot === 0) reply.nullBulk();
  else reply.integer(keyspace.store.bytesOf(slot));
}

type Figure = readonly [name: string, value: number, isRatio?: boolean];

function statistics(figures: MemoryFigures): Figure[] {
  const {
    usedBytes,
    chargedBytes,
    reservedBytes,
    residentBytes,
    clientBytes,
    followerBytes,
    backlogBytes,
    keys,
  } = figures;
  const used = Math.max(1, usedBytes);
  return [
    ['peak.allocated', figures.peakBytes],
    ['total.allocated', chargedBytes],
    ['startup.allocated', 0],
    ['replication.backlog', backlogBytes],
    ['clients.slaves', followerBytes],
    ['clients.normal', clientBytes],
    ['cluster.links', 0],
    ['aof.buffer', 0],
    ['lua.caches', 0],
    ['functions.caches', 0],
    ['overhead.total', chargedBytes - usedBytes],
    ['keys.count', keys],
    ['keys.bytes-per-key', keys === 0 ? 0 : Math.floor(usedBytes / keys)],
    ['dataset.bytes', usedBytes],
    ['dataset.percentage', (usedBytes / Math.max(1, chargedBytes)) * 100, true],
    ['peak.percentage', (chargedBytes / Math.max(1, figures.peakBytes)) * 100, true],
    ['allocator.allocated', usedBytes],
    ['allocator.active', reservedBytes],
    ['allocator.resident', residentBytes],
    ['allocator-fragmentation.ratio', reservedBytes / used, true],
    ['allocator-fragmentation.bytes', reservedBytes - usedBytes],
    ['allocator-rss.ratio', residentBytes / Math.max(1, reservedBytes), true],
    ['allocator-rss.bytes', residentBytes - reservedBytes],
    ['rss-overhead.ratio', 1, true],
    ['rss-overhead.bytes', 0],
    ['fragmentation', residentBytes / Math.max(1, chargedBytes), true],
    ['fragmentation.bytes', residentBytes - chargedBytes],
  ];
}

function stats({ node, databases }: CommandContext, _args: Args, reply: RespWriter) {
  const figures = statistics(memoryFigures(node, databases));
  reply.mapHeader(figures.length);
  for (const [name, value, isRatio] of figures) {
    reply.bulkLatin1(name);
    if (isRatio) reply.double(value);
    else reply.integer(value);
  }
}

function doctor({ node, databases }: CommandContext, _args: Args, reply: RespWriter) {
  reply.verbatim('txt', memoryReport(memoryFigures(node, databases), node.clients.size));
}

/** Keys and values lie outside the heap, in the store's own segments; this is the rest of the process. */
function mallocStats(_context: CommandContext, _args: Args, reply: RespWriter) {
  const heap = Object.entries(getHeapStatistics()).map(([name, value]) => `heap.${name}: ${value}`);
  const spaces = getHeapSpaceStatistics().map(
    ({ space_name, space_size, space_used_size, physical_space_size }) =>
      `space.${space_name}: size ${space_size}, used ${space_used_size}, physical ${physical_space_size}`,
  );
  reply.verbatim('txt', [...heap, ...spaces].map((line) => `${line}\n`).join(''));
}

/** MEMORY and its subcommands. The store gives idle memory back as it goes, so PURGE finds nothing left to do. */
export const memoryCommands: CommandHandlers = {
  'MEMORY|USAGE': usage,
  'MEMORY|STATS': stats,
  'MEMORY|DOCTOR': doctor,
  'MEMORY|MALLOC-STATS': mallocStats,
  'MEMORY|PURGE': (_context, _args, reply) => reply.ok(),
  'MEMORY|HELP': help,
};
