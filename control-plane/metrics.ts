import { createMetrics, type Metrics } from '../lib/metrics/index.ts';
import type { AttachService } from './attach.ts';
import type { AgentState } from './core/index.ts';
import type { Driver } from './driver.ts';

const STATES: AgentState[] = ['starting', 'serving', 'syncing', 'suspect', 'dead'];

/** The figures of a control plane, read when somebody asks. */
export function controlPlaneMetrics(driver: Driver, agents: AttachService): Metrics {
  const metrics = createMetrics();
  const { stats } = driver;
  metrics.observedGauge('ringside_control_plane_streams', 'Attach streams open now.', () => agents.size);
  metrics.observedGauge(
    'ringside_control_plane_ring_epoch',
    'Epoch of the ring document in force, 0 for none.',
    () => Number(driver.view().document?.epoch ?? 0),
  );
  metrics.observedGauge('ringside_control_plane_shard_epoch', 'Epoch of each shard.', () =>
    driver.view().shards.map(({ name, epoch }) => ({ labels: { shard: name }, value: Number(epoch) })),
  );
  metrics.observedGauge('ringside_control_plane_nodes', 'Nodes of the ring by state.', () =>
    nodesByState(driver),
  );
  metrics.observedCounter(
    'ringside_control_plane_failovers_total',
    'Leaders replaced by another node or process.',
    () => driver.view().totals.failovers,
  );
  metrics.observedCounter(
    'ringside_control_plane_reelections_total',
    'Leaders that lead on at a new shard epoch, because followers were sealed for nothing.',
    () => driver.view().totals.reelections,
  );
  metrics.observedCounter('ringside_control_plane_documents_total', 'States stored.', () => stats.published);
  metrics.observedCounter(
    'ringside_control_plane_leases_granted_total',
    'Leases granted to leaders.',
    () => stats.grants,
  );
  metrics.observedCounter(
    'ringside_control_plane_refused_streams_total',
    'Streams ended by a refusal.',
    () => stats.refusals,
  );
  metrics.observedCounter(
    'ringside_control_plane_persist_failures_total',
    'Failed attempts to store the state.',
    () => stats.persistFailures,
  );
  metrics.observedCounter(
    'ringside_control_plane_pushes_total',
    'Documents pushed to agents.',
    () => agents.stats.pushes,
  );
  metrics.observedCounter(
    'ringside_control_plane_acks_total',
    'Documents that agents acknowledged.',
    () => agents.stats.acks,
  );
  metrics.observedCounter(
    'ringside_control_plane_nacks_total',
    'Documents that agents refused.',
    () => agents.stats.nacks,
  );
  metrics.observedCounter(
    'ringside_control_plane_skipped_messages_total',
    'Messages not sent because an agent did not read.',
    () => agents.stats.skipped,
  );
  return metrics;
}

function nodesByState(driver: Driver) {
  const nodes = driver
    .view()
    .shards.flatMap(({ leader, followers }) => [...(leader ? [leader] : []), ...followers]);
  return STATES.map((state) => ({
    labels: { state },
    value: nodes.filter((node) => node.state === state).length,
  }));
}
