export type { NodeDeps } from './node.ts';
export { type RunningNode, startNode } from './start.ts';
