import { RingsideError } from '../lib/base/index.ts';
import { type CommandSpec, commandTable } from '../lib/commands/index.ts';
import type { ShardState } from './cluster/shard-state.ts';
import type { Followers } from './replication/followers.ts';
import type { Client } from './server/client.ts';
import type { Settings } from './settings.ts';

/** Id of EXEC. */
export const EXEC: number = commandTable.get('EXEC')!.id;

/** Id of PING, by which others find out how a node is. */
const PING: number = commandTable.get('PING')!.id;

const notQueued = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);
/** Commands that change nothing here and are heard of elsewhere. */
const heardOf = new Set(['publish', 'spublish', 'pfcount']);
const allowedWhileSubscribed = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
]);

/** Whether a client that is in a transaction has the command executed at once. */
export function isNeverQueued(spec: CommandSpec): boolean {
  return notQueued.has(spec.name);
}

/** Whether a pause of writes makes the command wait. */
export function waitsForWrites(spec: CommandSpec): boolean {
  return spec.isWrite || heardOf.has(spec.name);
}

/** Whether the command is one that somebody sends to find out whether all is well: it is refused where a write would be for want of a disk. */
export function asksHowItIs(spec: CommandSpec): boolean {
  return spec.id === PING;
}

/** Whether the command may not run as long as files or a leader's snapshot are loaded; what reads not even before there is anything to load. */
export function isRefusedLoading(spec: CommandSpec, shard: ShardState): boolean {
  if (spec.allowedLoading || shard.mayRead) return false;
  return spec.isReadonly || shard.isLoading || (asksHowItIs(spec) && Boolean(shard.link?.syncBytes));
}

/** Whether a leader has fewer followers that it hears of than `min-replicas-to-write` and `min-replicas-max-lag` ask for. */
export function lacksReplicas(followers: Followers, settings: Settings): boolean {
  const { minReplicasToWrite, minReplicasMaxLagMs } = settings;
  return minReplicasMaxLagMs > 0 && followers.countGood(minReplicasMaxLagMs) < minReplicasToWrite;
}

/** Why a client may not have the command while it listens to channels in RESP2, where messages could not be told from replies. */
export function refusalWhileSubscribed(client: Client, spec: CommandSpec): string | null {
  if (client.subscriptions === null || client.protocol === 3 || allowedWhileSubscribed.has(spec.name))
    return null;
  return `ERR Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`;
}

/** Why a write over a connection that named its shard and epoch (RS.EPOCH) may not run here; null when it may. */
export function staleness(client: Client, shard: ShardState): string | null {
  if (client.shard !== shard.shard) {
    const message = `this node serves shard ${shard.shard}, not ${client.shard}`;
    return new RingsideError('stale_ring', message).toResp();
  }
  if (client.shardEpoch === shard.epoch) return null;
  const behind = client.shardEpoch > shard.epoch;
  if (behind) shard.onBehind();
  const at = `shard ${shard.shard} is at epoch ${shard.epoch}, the connection at ${client.shardEpoch}`;
  return new RingsideError('stale_ring', behind ? `${at}: this node is behind` : at).toResp();
}
