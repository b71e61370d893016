import { matchesGlob } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import type { Keyspace } from '../keyspace.ts';
import { type Slot, typeNames } from '../store/index.ts';
import { parseCursor } from './collection-scan.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { notify } from './lookup.ts';

/** Buckets a SCAN looks at per key asked for: bounds the time in a sparse table. */
const BUCKETS_PER_KEY = 10;
const RANDOM_TRIES = 100;

function remove({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  let removed = 0;
  for (let i = 1; i < args.count; i++) {
    const slot = keyspace.find(args.buffer, args.start(i), args.end(i));
    if (slot === 0) {
      keyspace.voidLease(args.buffer, args.start(i), args.end(i));
      continue;
    }
    keyspace.remove(slot);
    notify(keyspace, NOTIFY_GENERIC, 'del', args, i);
    removed++;
  }
  reply.integer(removed);
}

function exists({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  let found = 0;
  for (let i = 1; i < args.count; i++) {
    if (keyspace.peek(args.buffer, args.start(i), args.end(i)) !== 0) found++;
  }
  reply.integer(found);
}

function touch({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  let found = 0;
  for (let i = 1; i < args.count; i++) {
    if (keyspace.read(args.buffer, args.start(i), args.end(i)) !== 0) found++;
  }
  reply.integer(found);
}

function type({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const slot = keyspace.peek(args.buffer, args.start(1), args.end(1));
  reply.simple(slot === 0 ? 'none' : typeNames[keyspace.store.typeOf(slot)]);
}

/** Whether the arguments of a flush are as they should be; writes the error when they are not. */
function mayFlush(args: Args, reply: RespWriter): boolean {
  const isKnown = args.count === 2 && (args.equalsIgnoreCase(1, 'SYNC') || args.equalsIgnoreCase(1, 'ASYNC'));
  if (args.count > 1 && !isKnown) reply.error(SYNTAX_ERROR);
  return args.count === 1 || isKnown;
}

function flushDatabase({ keyspace, databases }: CommandContext, args: Args, reply: RespWriter) {
  if (!mayFlush(args, reply)) return;
  keyspace.clear();
  if (keyspace.index === 0) databases.copies.clear();
  reply.ok();
}

function flushAll({ databases }: CommandContext, args: Args, reply: RespWriter) {
  if (!mayFlush(args, reply)) return;
  for (const keyspace of databases.all()) keyspace.clear();
  databases.copies.clear();
  reply.ok();
}

function randomKey({ keyspace, node }: CommandContext, _args: Args, reply: RespWriter) {
  const { store } = keyspace;
  for (let tries = 0; tries < RANDOM_TRIES; tries++) {
    const slot = store.random(node.random);
    if (slot === 0) break;
    if (!keyspace.isExpired(slot)) return reply.bulkLatin1(store.keyOf(slot));
    removeExpired(keyspace, store.keyOf(slot));
  }
  reply.nullBulk();
}

/** On a leader, what is found to have expired goes. */
function removeExpired(keyspace: Keyspace, key: string): void {
  const bytes = Buffer.from(key, 'latin1');
  keyspace.find(bytes, 0, bytes.length);
}

function writeKeys(keys: readonly string[], reply: RespWriter) {
  reply.arrayHeader(keys.length);
  for (const key of keys) reply.bulkLatin1(key);
}

function keys({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const pattern = args.latin1(1);
  const { store } = keyspace;
  const found: string[] = [];
  const visit = (slot: Slot) => {
    const key = store.keyOf(slot);
    if (!keyspace.isExpired(slot) && (pattern === '*' || matchesGlob(pattern, key))) found.push(key);
  };
  let cursor = 0;
  do cursor = store.scan(cursor, visit);
  while (cursor !== 0);
  writeKeys(found, reply);
}

interface ScanOptions {
  count: number;
  pattern: string | null;
  type: string | null;
}

function scan({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const { store } = keyspace;
  const start = parseCursor(args.latin1(1));
  if (start === null) return reply.error('ERR invalid cursor');
  const options = parseScan(args);
  if (typeof options === 'string') return reply.error(options);
  const { count, pattern, type } = options;
  const found: string[] = [];
  const expired: string[] = [];
  let seen = 0;
  const visit = (slot: Slot) => {
    seen++;
    if (type !== null && typeNames[store.typeOf(slot)] !== type) return;
    const key = store.keyOf(slot);
    if (keyspace.isExpired(slot)) {
      expired.push(key);
      return;
    }
    if (pattern === null || matchesGlob(pattern, key)) found.push(key);
  };
  let cursor = start;
  let buckets = count * BUCKETS_PER_KEY;
  do cursor = store.scan(cursor, visit);
  while (cursor !== 0 && buckets-- > 0 && seen < count);
  for (const key of expired) removeExpired(keyspace, key);
  reply.arrayHeader(2);
  reply.bulkLatin1(String(cursor));
  writeKeys(found, reply);
}

/** The options, or the text of an error. */
function parseScan(args: Args): ScanOptions | string {
  const options: ScanOptions = { count: 10, pattern: null, type: null };
  for (let i = 2; i < args.count; i += 2) {
    const more = i + 1 < args.count;
    if (more && args.equalsIgnoreCase(i, 'COUNT')) {
      const count = args.bigint(i + 1);
      if (count === null) return NOT_AN_INTEGER;
      if (count < 1n) return SYNTAX_ERROR;
      options.count = Number(count);
    } else if (more && args.equalsIgnoreCase(i, 'MATCH')) {
      const pattern = args.latin1(i + 1);
      options.pattern = pattern === '*' ? null : pattern;
    } else if (more && args.equalsIgnoreCase(i, 'TYPE')) {
      options.type = args.latin1(i + 1).toLowerCase();
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/** Commands on keys whatever they hold. */
export const keyCommands: CommandHandlers = {
  DEL: remove,
  UNLINK: remove,
  EXISTS: exists,
  TOUCH: touch,
  TYPE: type,
  FLUSHALL: flushAll,
  FLUSHDB: flushDatabase,
  RANDOMKEY: randomKey,
  KEYS: keys,
  SCAN: scan,
  DBSIZE: ({ keyspace }, _args, reply) => reply.integer(keyspace.store.size),
};
