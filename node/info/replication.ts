import type { SyncBytes } from '../cluster/shard-state.ts';
import type { Fields, InfoSource } from './section.ts';

/** Whose data this is, and who follows. */
export function replication({ node, databases }: InfoSource): Fields {
  const { shard, followers, clock, settings } = node;
  const { log } = databases.data;
  const nowMs = clock.monotonicMs();
  const links = [...followers.links].map((link, i): readonly [string, string] => {
    const colon = link.address.lastIndexOf(':');
    const state = link.isStreaming ? 'online' : 'send_bulk';
    const heardMs = link.heardAtMs === 0 ? 0 : nowMs - link.heardAtMs;
    const lag = Math.floor(Math.max(link.lagMs(nowMs), heardMs) / 1000);
    return [
      `slave${i}`,
      `ip=${link.address.slice(0, colon)},port=${link.follower.port},state=${state},offset=${Math.max(0, link.ackOffset)},lag=${lag},lag_bytes=${link.lagBytes},id=${link.id}`,
    ];
  });
  const leader: Fields = shard.leader
    ? [
        ['master_host', shard.leader.host],
        ['master_port', shard.leader.port],
        ['master_link_status', shard.linkUp ? 'up' : 'down'],
        ['master_sync_in_progress', shard.complete ? 0 : 1],
        ...(shard.linkUp
          ? []
          : ([
              ['master_link_down_since_seconds', Math.floor((nowMs - shard.linkDownSinceMs) / 1000)],
            ] as const)),
        ['slave_read_repl_offset', log.end],
        ['slave_repl_offset', log.end],
        ...ofSnapshot(shard.link?.syncBytes ?? null),
        ...(shard.linkUp || !shard.link?.lastProblem
          ? []
          : ([['master_link_last_problem', shard.link.lastProblem.replace(/[\r\n]+/g, ' ')]] as const)),
        ['slave_read_only', 1],
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
    ['repl_backlog_size', settings.fixed.get('repl-backlog-size') ?? 0],
    ['repl_backlog_first_byte_offset', log.active ? log.start + 1 : 0],
    ['repl_backlog_histlen', log.end - log.start],
    ['shard', shard.shard],
    ['shard_epoch', shard.epoch],
    ['may_write', shard.mayWrite(nowMs) ? 1 : 0],
  ];
}

/** How far a full sync has come. */
function ofSnapshot(bytes: SyncBytes | null): Fields {
  if (bytes === null) return [];
  const { read, total } = bytes;
  return [
    ['master_sync_total_bytes', total],
    ['master_sync_read_bytes', read],
    ['master_sync_left_bytes', total === 0 ? -read : total - read],
    ['master_sync_perc', total === 0 ? '0.00' : ((100 * read) / total).toFixed(2)],
  ];
}
