import type { ReadPort } from './read-port.ts';
import type { ShardRoute } from './topology.ts';

/** Where the next read of a key would go, and why. */
export interface BalanceState {
  /** off: there is no bounded load. */
  readonly decision: 'off' | 'leader' | 'follower' | 'overflow';
  /** Null: there is none. */
  readonly node: string | null;
  /** Of the key's leader, and what each node may have: commands of the last second, and in flight. */
  readonly load: number;
  readonly cap: number;
}

/** Of a proxy that places nothing elsewhere. */
export const NO_BALANCE: BalanceState = { decision: 'off', node: null, load: 0, cap: 0 };

/** The load of one node as one thread knows it. Plain data. */
export interface LoadFigure {
  readonly node: string;
  readonly load: number;
  readonly cap: number;
}

/** Places reads of shards that have too much to do elsewhere. */
export interface BalancePort extends ReadPort {
  /** Where the next read of this key, which belongs to `route`, would go. */
  stateOf(key: Buffer, route: ShardRoute): BalanceState;
  /** What each node has to do. */
  loads(): LoadFigure[];
}
