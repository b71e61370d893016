import type { Metrics } from '../lib/metrics/index.ts';
import type { NodeParts } from './node.ts';

type Figure = readonly [name: string, help: string, read: () => number];

/** Adds the figures of the append-only file, of snapshots, and of what is loaded: INFO persistence has them too. */
export function addFileMetrics(metrics: Metrics, parts: NodeParts): void {
  for (const [name, help, read] of counters(parts)) metrics.observedCounter(name, help, read);
  for (const figures of [ofAof(parts), ofSnapshots(parts), ofLoading(parts)])
    for (const [name, help, read] of figures) metrics.observedGauge(name, help, read);
}

function counters({ services: { aof, saves } }: NodeParts): Figure[] {
  return [
    ['ringside_node_aof_rewrites_total', 'Rewrites of the append-only file begun.', () => aof.count],
    [
      'ringside_node_aof_delayed_syncs_total',
      'Writes to the append-only file that did not wait any longer for a slow sync.',
      () => aof.delayedSyncs,
    ],
    ['ringside_node_rdb_saves_total', 'Snapshots begun.', () => saves.count],
  ];
}

function ofAof({ services: { aof } }: NodeParts): Figure[] {
  return [
    ['ringside_node_aof_enabled', 'Whether there is an append-only file.', () => Number(aof.state !== 'off')],
    ['ringside_node_aof_bytes', 'Bytes of all parts of the append-only file.', () => aof.bytes],
    ['ringside_node_aof_base_bytes', 'Those bytes after the last rewrite.', () => aof.baseBytes],
    ['ringside_node_aof_pending_bytes', 'Bytes that have not been written to it.', () => aof.pendingBytes],
    ['ringside_node_aof_pending_syncs', 'Syncs under way beside writes.', () => aof.pendingSyncs],
    [
      'ringside_node_aof_failing',
      'Whether it cannot be written, so that writes are refused.',
      () => Number(aof.refusal !== null),
    ],
    ['ringside_node_aof_rewriting', 'Whether it is being rewritten.', () => Number(aof.isRewriting)],
    [
      'ringside_node_aof_last_rewrite_failed',
      'Whether the last rewrite failed.',
      () => Number(aof.lastFailed),
    ],
    [
      'ringside_node_aof_last_rewrite_duration_seconds',
      'How long the last rewrite took; -1 before the first.',
      () => aof.lastSeconds,
    ],
  ];
}

function ofSnapshots({ services: { saves, clock } }: NodeParts): Figure[] {
  return [
    [
      'ringside_node_rdb_saving',
      'Whether a snapshot is being written.',
      () => Number(saves.current !== null),
    ],
    [
      'ringside_node_rdb_last_save_failed',
      'Whether the last snapshot could not be written.',
      () => Number(saves.lastFailed),
    ],
    [
      'ringside_node_rdb_last_save_duration_seconds',
      'How long the last snapshot in the background took; -1 before the first.',
      () => saves.lastSeconds,
    ],
    [
      'ringside_node_rdb_since_save_seconds',
      'Time since the last snapshot was written, or the node started.',
      () => Math.max(0, clock.wallMs() - saves.lastSaveMs) / 1000,
    ],
    ['ringside_node_rdb_unsaved_changes', 'Changes since the last snapshot.', () => saves.changes],
  ];
}

function ofLoading({ services: { saves } }: NodeParts): Figure[] {
  return [
    ['ringside_node_loading', 'Whether files are being loaded.', () => Number(saves.loading !== null)],
    [
      'ringside_node_loading_bytes',
      'Bytes of them that have been loaded; 0 when none are.',
      () => saves.loading?.loadedBytes ?? 0,
    ],
    [
      'ringside_node_loading_total_bytes',
      'Bytes of them in all; 0 when none are.',
      () => saves.loading?.totalBytes ?? 0,
    ],
  ];
}
