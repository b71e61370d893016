import type { MetricSnapshot } from '../../lib/metrics/index.ts';
import type { BalanceCounts } from '../balance/index.ts';
import type { NamespaceFigures } from '../near/index.ts';
import type { ShadowStatus } from '../shadow/index.ts';
import type { WarmUpStatus } from '../warm/index.ts';
import type { CommandFigure } from '../watch/command-figures.ts';
import type { BalanceState } from './balance-port.ts';
import type { NearState } from './near-port.ts';
import type { NodeFigure } from './node-figures.ts';

/** One shard of the ring in force. */
export interface ShardSummary {
  readonly shard: string;
  /** Null: a fixed ring has none. */
  readonly epoch: string | null;
  readonly engine: string;
}

/** What all threads of the proxy know, for the admin listener. */
export interface ProxyFigures {
  shards(): ShardSummary[];
  /** One for each node and thread. */
  nodes(): Promise<NodeFigure[]>;
  /** One for each listener, command and thread. */
  commands(): Promise<CommandFigure[]>;
  /** What the near cache did, one for each namespace that has one, all threads together. */
  near(): Promise<NamespaceFigures[]>;
  /** What is kept of this key: by the thread that knows most. */
  nearState(key: Buffer): Promise<NearState>;
  /** What bounded load did, all threads together. */
  balance(): Promise<BalanceCounts>;
  /** Where this key would be read: as the thread says that spreads it. */
  balanceState(key: Buffer): Promise<BalanceState>;
  /** How far the warm-up is; null: there is none. */
  warmUp(): Promise<WarmUpStatus | null>;
  /** Ends the warm-up; null: there is none. */
  stopWarmUp(): Promise<WarmUpStatus | null>;
  /** What shadowing did; null: there is none. */
  shadow(): Promise<ShadowStatus | null>;
  /** The metrics of worker threads. */
  workerMetrics(): Promise<MetricSnapshot[]>;
}
