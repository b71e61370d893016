import { type Server, startNodeProgram, startRedis } from './peers.ts';

/** A budget that no suite reaches. */
const ENOUGH = '8gb';

/** A kind of server that keeps its data in a folder. */
export interface StoredKind {
  readonly name: string;
  start(dir: string, ...args: string[]): Promise<Server>;
}

/** The node, and what stands beside it. */
export const storedKinds: readonly StoredKind[] = [
  {
    name: 'ringside node',
    start: (dir, ...args) => startNodeProgram(['--maxmemory', ENOUGH, '--dir', dir, ...args]),
  },
  {
    name: 'redis-server',
    start: (dir, ...args) => startRedis('redis-server', ['--dir', dir, ...args]),
  },
];
