export { ControlCore } from './core.ts';
export type {
  Answer,
  CoreEvent,
  CoreOptions,
  Effect,
  FollowerList,
  RefusalReason,
  StateRecord,
} from './types.ts';
export type { AgentState, FleetView, NodeView, ProxyView, ShardView } from './view.ts';
