import type { LeaderLinkFacts } from '../cluster/shard-state.ts';
import type { Fields, InfoSource } from './section.ts';

/** Whose data this is, and who follows. */
export function replication({ node, databases }: InfoSource): Fields {
  const { shard, followers, clock, settings } = node;
  const { log } = databases.data;
  const nowMs = clock.monotonicMs();
  const links = [...followers.links].map((link, i): readonly [string, string] => {
    const { host, port } = link.follower;
    return [
      `slave${i}`,
      `ip=${host},port=${port},state=${link.state},offset=${Math.max(0, link.ackOffset)},lag=${link.lagSeconds(nowMs)}`,
    ];
  });
  const ofNodes = [...followers.links].map((link, i): readonly [string, string] => [
    `follower${i}`,
    `id=${link.id},lag_bytes=${link.lagBytes},lag_ms=${Math.round(link.lagMs(nowMs))}`,
  ]);
  const leader: Fields = shard.leader
    ? [
        ['master_host', shard.leader.host],
        ['master_port', shard.leader.port],
        ['master_link_status', shard.linkUp ? 'up' : 'down'],
        ['master_last_io_seconds_ago', shard.linkUp ? secondsSince(shard.link!.heardAtMs, nowMs) : -1],
        ['master_sync_in_progress', shard.link?.syncBytes ? 1 : 0],
        ['slave_read_repl_offset', log.end],
        ['slave_repl_offset', log.end],
        ...ofSnapshot(shard.link, nowMs),
        ...(shard.linkUp
          ? []
          : ([['master_link_down_since_seconds', secondsSince(shard.linkDownSinceMs, nowMs)]] as const)),
        ...(shard.linkUp || !shard.link?.lastProblem
          ? []
          : ([['master_link_last_problem', shard.link.lastProblem.replace(/[\r\n]+/g, ' ')]] as const)),
        ['slave_priority', settings.kept.get('replica-priority') ?? 100],
        ['slave_read_only', settings.replicaReadOnly ? 1 : 0],
        ['replica_announced', settings.kept.get('replica-announced') === 'no' ? 0 : 1],
      ]
    : [];
  const { minReplicasToWrite, minReplicasMaxLagMs } = settings;
  const goodReplicas: Fields =
    minReplicasToWrite > 0 && minReplicasMaxLagMs > 0
      ? [['min_slaves_good_slaves', followers.countGood(minReplicasMaxLagMs)]]
      : [];
  return [
    ['role', shard.leader ? 'slave' : 'master'],
    ...leader,
    ['connected_slaves', links.length],
    ...goodReplicas,
    ...links,
    ['master_failover_state', 'no-failover'],
    ['master_replid', log.replId],
    ['master_replid2', log.formerReplId || '0'.repeat(40)],
    ['master_repl_offset', log.end],
    ['second_repl_offset', log.formerReplId ? log.formerEnd + 1 : -1],
    ['repl_backlog_active', log.active ? 1 : 0],
    ['repl_backlog_size', log.backlogBytes],
    ['repl_backlog_first_byte_offset', log.active ? log.start + 1 : 0],
    ['repl_backlog_histlen', log.end - log.start],
    ...ofNodes,
    ['shard', shard.shard],
    ['shard_epoch', shard.epoch],
    ['may_write', shard.mayWrite(nowMs) ? 1 : 0],
  ];
}

/** How far a full sync has come. */
function ofSnapshot(link: LeaderLinkFacts | null, nowMs: number): Fields {
  if (!link?.syncBytes) return [];
  const { read, total } = link.syncBytes;
  return [
    ['master_sync_total_bytes', total],
    ['master_sync_read_bytes', read],
    ['master_sync_left_bytes', total === 0 ? -read : total - read],
    ['master_sync_perc', total === 0 ? '0.00' : ((100 * read) / total).toFixed(2)],
    ['master_sync_last_io_seconds_ago', secondsSince(link.heardAtMs, nowMs)],
  ];
}

function secondsSince(thenMs: number, nowMs: number): number {
  return Math.floor((nowMs - thenMs) / 1000);
}
