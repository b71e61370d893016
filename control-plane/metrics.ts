import { createMetrics, type Metrics } from '../lib/metrics/index.ts';
import type { AttachService } from './attach.ts';
import type { AgentState } from './core/index.ts';
import type { Driver } from './driver.ts';

const STATES: AgentState[] = ['starting', 'serving', 'syncing', 'suspect', 'dead'];

/** The figures of a control plane, read when somebody asks. */
export function controlPlaneMetrics(driver: Driver, agents: AttachService): Metrics {
  const metrics = createMetrics();
  const prefix = 'ringside_control_plane';
  const { stats } = driver;
  metrics.observedGauge(`${prefix}_streams`, 'Attach streams open now.', () => agents.size);
  metrics.observedGauge(`${prefix}_ring_epoch`, 'Epoch of the ring document in force, 0 for none.', () =>
    Number(driver.view().document?.epoch ?? 0),
  );
  metrics.observedGauge(`${prefix}_shard_epoch`, 'Epoch of each shard.', () =>
    driver.view().shards.map(({ name, epoch }) => ({ labels: { shard: name }, value: Number(epoch) })),
  );
  metrics.observedGauge(`${prefix}_nodes`, 'Nodes of the ring by state.', () => nodesByState(driver));
  metrics.observedCounter(`${prefix}_documents_total`, 'States stored.', () => stats.published);
  metrics.observedCounter(`${prefix}_leases_granted_total`, 'Leases granted to leaders.', () => stats.grants);
  metrics.observedCounter(
    `${prefix}_refused_streams_total`,
    'Streams ended by a refusal.',
    () => stats.refusals,
  );
  metrics.observedCounter(
    `${prefix}_persist_failures_total`,
    'Failed attempts to store the state.',
    () => stats.persistFailures,
  );
  metrics.observedCounter(`${prefix}_pushes_total`, 'Documents pushed to agents.', () => agents.stats.pushes);
  metrics.observedCounter(
    `${prefix}_acks_total`,
    'Documents that agents acknowledged.',
    () => agents.stats.acks,
  );
  metrics.observedCounter(
    `${prefix}_nacks_total`,
    'Documents that agents refused.',
    () => agents.stats.nacks,
  );
  metrics.observedCounter(
    `${prefix}_skipped_messages_total`,
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
