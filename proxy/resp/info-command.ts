import { encodeCommand, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { combineSections, parseInfo, type ShardInfo, shardSections } from '../core/shard-info.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { placeholder } from './forward.ts';
import { ownFields } from './info-sections.ts';
import { inOrder } from './keys-commands.ts';

/** In Redis's order, the proxy's own behind them. */
const SECTIONS: readonly string[] = [
  'server',
  'clients',
  'memory',
  'persistence',
  'stats',
  'replication',
  'cpu',
  'modules',
  'commandstats',
  'errorstats',
  'cluster',
  'keyspace',
  'ringside',
];
/** Left out unless asked for by name, or by `all` or `everything`. */
const ON_REQUEST: ReadonlySet<string> = new Set(['commandstats']);

/** INFO [section …]: the proxy about itself, and the figures of all shards together where they add up. */
export const runInfo: Handler = (connection, args, nowMs) => {
  const asked = new Set<string>();
  for (let i = 1; i < args.count; i++) asked.add(args.latin1(i).toLowerCase());
  const isAll = asked.has('all') || asked.has('everything');
  const isDefault = asked.size === 0 || asked.has('default');
  const wanted = SECTIONS.filter((name) => isAll || asked.has(name) || (isDefault && !ON_REQUEST.has(name)));
  const ofShards = wanted.filter((name) => shardSections.includes(name));
  const { router } = connection.context;
  if (ofShards.length === 0 || router.routes.length === 0) {
    connection.reply(textReply(connection, wanted, []));
    return;
  }
  inOrder(connection, () => {
    const gather = Gather.merging(
      placeholder(connection, nowMs),
      (parts) => textReply(connection, wanted, parts.flatMap(infoOf)),
      { protocol: 2 },
    );
    const frame = encodeCommand('INFO', ...ofShards);
    for (const route of router.routes) gather.send(router, route, frame, false);
    gather.seal();
  });
};

const BULK = 0x24;

/** A shard that cannot be asked is left out of the sums. */
function infoOf({ reply: { bytes, start } }: AnsweredPart): ShardInfo[] {
  if (bytes[start] !== BULK) return [];
  const from = replyLineEnd(bytes, start);
  return [parseInfo(bytes.utf8Slice(from, from + replyNumber(bytes, start)))];
}

function textReply(
  connection: RespConnection,
  wanted: readonly string[],
  shards: readonly ShardInfo[],
): Buffer {
  const blocks = wanted.map((name) => {
    const title = name === 'cpu' ? 'CPU' : name[0].toUpperCase() + name.slice(1);
    const answering =
      name === 'ringside' && shards.length > 0 ? [['shards_answering', String(shards.length)] as const] : [];
    const fields = [...combineSections(shards, name), ...ownFields(connection, name), ...answering];
    return `# ${title}\r\n${fields.map(([field, value]) => `${field}:${value}\r\n`).join('')}`;
  });
  const { writer } = connection;
  writer.verbatim('txt', blocks.join('\r\n'));
  return writer.take();
}
