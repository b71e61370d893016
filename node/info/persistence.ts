import type { LoadProgress } from '../persistence/index.ts';
import type { Fields, InfoSource } from './section.ts';

/** What is written to disk, and what was read from it. */
export function persistence({ node: { shard, saves, clock }, databases }: InfoSource): Fields {
  const { current, loading } = saves;
  return [
    ['loading', shard.complete ? 0 : 1],
    ['async_loading', 0],
    ['current_cow_peak', current?.pendingBytes ?? 0],
    ['current_cow_size', current?.pendingBytes ?? 0],
    ['current_cow_size_age', 0],
    ['current_fork_perc', '0.00'],
    ['current_save_keys_processed', current?.written ?? 0],
    ['current_save_keys_total', current?.total ?? 0],
    ['rdb_changes_since_last_save', saves.changes],
    ['rdb_bgsave_in_progress', current === null ? 0 : 1],
    ['rdb_last_save_time', Math.floor(saves.lastSaveMs / 1000)],
    ['rdb_last_bgsave_status', saves.lastFailed ? 'err' : 'ok'],
    ['rdb_last_bgsave_time_sec', saves.lastSeconds],
    ['rdb_current_bgsave_time_sec', saves.currentSeconds],
    ['rdb_saves', saves.count],
    ['rdb_last_cow_size', 0],
    ['rdb_last_load_keys_expired', saves.lastExpired],
    ['rdb_last_load_keys_loaded', saves.lastLoaded],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_rewrites', 0],
    ['aof_rewrites_consecutive_failures', 0],
    ['aof_last_write_status', 'ok'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ...(loading === null ? [] : progress(loading, clock.wallMs(), databases.usedBytes)),
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
