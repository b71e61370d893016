import type { Aof, LoadProgress } from '../persistence/index.ts';
import type { Fields, InfoSource } from './section.ts';

/** What is written to disk, and what was read from it. */
export function persistence({ node: { shard, saves, aof, clock }, databases }: InfoSource): Fields {
  const { loading } = saves;
  const current = saves.current ?? aof.snapshot;
  return [
    ['loading', shard.complete ? 0 : 1],
    ['async_loading', 0],
    ['current_cow_peak', current?.pendingBytes ?? 0],
    ['current_cow_size', current?.pendingBytes ?? 0],
    ['current_cow_size_age', 0],
    ['current_fork_perc', ((100 * (current?.written ?? 0)) / Math.max(1, current?.total ?? 0)).toFixed(2)],
    ['current_save_keys_processed', current?.written ?? 0],
    ['current_save_keys_total', current?.total ?? 0],
    ['rdb_changes_since_last_save', saves.changes],
    ['rdb_bgsave_in_progress', saves.current === null ? 0 : 1],
    ['rdb_last_save_time', Math.floor(saves.lastSaveMs / 1000)],
    ['rdb_last_bgsave_status', saves.lastFailed ? 'err' : 'ok'],
    ['rdb_last_bgsave_time_sec', saves.lastSeconds],
    ['rdb_current_bgsave_time_sec', saves.currentSeconds],
    ['rdb_saves', saves.count],
    ['rdb_last_cow_size', 0],
    ['rdb_last_load_keys_expired', saves.lastExpired],
    ['rdb_last_load_keys_loaded', saves.lastLoaded],
    ['aof_enabled', aof.state === 'off' ? 0 : 1],
    ['aof_rewrite_in_progress', aof.isRewriting ? 1 : 0],
    ['aof_rewrite_scheduled', aof.isScheduled ? 1 : 0],
    ['aof_last_rewrite_time_sec', aof.lastSeconds],
    ['aof_current_rewrite_time_sec', aof.currentSeconds],
    ['aof_last_bgrewrite_status', aof.lastFailed ? 'err' : 'ok'],
    ['aof_rewrites', aof.count],
    ['aof_rewrites_consecutive_failures', aof.failures],
    ['aof_last_write_status', aof.refusal === null ? 'ok' : 'err'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ...(aof.state === 'off' ? [] : sizes(aof)),
    ...(loading === null ? [] : progress(loading, clock.wallMs(), databases.usedBytes)),
  ];
}

function sizes(aof: Aof): Fields {
  return [
    ['aof_current_size', aof.bytes],
    ['aof_base_size', aof.baseBytes],
    ['aof_pending_rewrite', aof.isScheduled ? 1 : 0],
    ['aof_buffer_length', aof.pendingBytes],
    ['aof_pending_bio_fsync', aof.pendingSyncs],
    ['aof_delayed_fsync', aof.delayedSyncs],
  ];
}

function progress({ startedMs, loadedBytes, totalBytes }: LoadProgress, nowMs: number, used: number): Fields {
  const seconds = Math.floor((nowMs - startedMs) / 1000);
  const left = totalBytes - loadedBytes;
  return [
    ['loading_start_time', Math.floor(startedMs / 1000)],
    ['loading_total_bytes', totalBytes],
    ['loading_rdb_used_mem', used],
    ['loading_loaded_bytes', loadedBytes],
    ['loading_loaded_perc', ((100 * loadedBytes) / Math.max(1, totalBytes)).toFixed(2)],
    ['loading_eta_seconds', Math.floor((seconds * left) / (loadedBytes + 1))],
  ];
}
