import { decodeReply, encodeCommand } from '../../lib/codec/resp/index.ts';
import { commands } from '../../lib/commands/index.ts';
import { mergeOf, toAllShards } from '../core/fan-out.ts';
import { isErrorReply } from '../core/frames.ts';
import { type Finish, Gather } from '../core/gather.ts';
import type { RespConnection } from './connection.ts';
import { placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';

const both = (...names: string[]) =>
  names.flatMap((name) => [name.replace('*', 'listpack'), name.replace('*', 'ziplist')]);

/**
 * Settings, by Redis's names, of which CONFIG of a proxy speaks for its nodes: how values are kept, what is told of changes, memory, snapshots. How a
 * node is reached, replicates and where its files are is not its clients' business.
 */
export const nodeSettings: ReadonlySet<string> = new Set([
  ...both(
    'list-max-*-size',
    'hash-max-*-entries',
    'hash-max-*-value',
    'zset-max-*-entries',
    'zset-max-*-value',
  ),
  ...['list-compress-depth', 'set-max-intset-entries', 'hll-sparse-max-bytes', 'notify-keyspace-events'],
  ...['maxmemory', 'maxmemory-policy', 'maxmemory-samples', 'lfu-log-factor', 'lfu-decay-time'],
  ...[
    'active-expire-effort',
    'lazyfree-lazy-user-del',
    'lazyfree-lazy-user-flush',
    'save',
    'rdb-key-save-delay',
  ],
  ...['proto-max-bulk-len', 'client-query-buffer-limit', 'lua-time-limit'],
  ...['busy-reply-threshold', 'tracking-table-max-keys', 'stream-node-max-bytes', 'stream-node-max-entries'],
]);

const configSet = commands
  .find(({ name }) => name === 'config')!
  .subcommands.find(({ word }) => word === 'SET')!;
const mergeSet = mergeOf({ ...configSet, word: 'CONFIG SET' });

/** Sets them on the leader of every shard, then on the followers, and calls `done` ahead of the reply when all have. Answers the command. */
export function setOnNodes(
  connection: RespConnection,
  changes: readonly (readonly [string, string])[],
  nowMs: number,
  done: () => void,
): void {
  const { router, nodeSettings: settings } = connection.context;
  const frame = encodeCommand('CONFIG', 'SET', ...changes.flat());
  inOrder(connection, () => {
    toAllShards(router, placeholder(connection, nowMs), frame, true, (parts) => {
      const reply = mergeSet(parts);
      if (isErrorReply(reply, 0)) return reply;
      settings.taken(changes);
      done();
      return reply;
    });
  });
}

/** Asks one node for those that match the patterns; `reply` makes the answer of what it says, which is nothing when it cannot be asked. */
export function getFromNode(
  connection: RespConnection,
  patterns: readonly string[],
  nowMs: number,
  reply: (found: ReadonlyMap<string, string>) => Buffer,
): void {
  const { router } = connection.context;
  const frame = encodeCommand('CONFIG', 'GET', ...patterns);
  const finish: Finish = ([part], command) => {
    const { bytes, start, end } = part.reply;
    command.answerWith(reply(isErrorReply(bytes, start) ? new Map() : settingsIn(bytes, start, end)));
  };
  inOrder(connection, () => {
    const gather = new Gather(placeholder(connection, nowMs), finish, { protocol: 2 });
    gather.send(router, router.routes[0], frame, false);
    gather.seal();
  });
}

function settingsIn(bytes: Buffer, start: number, end: number): Map<string, string> {
  const words = (decodeReply(bytes, start, end) as Buffer[]).map(String);
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2)
    if (nodeSettings.has(words[i])) found.set(words[i], words[i + 1]);
  return found;
}
