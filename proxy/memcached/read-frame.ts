import type { ShardRoute } from '../core/topology.ts';
import { ARGUMENT_BYTES, type FrameSlab } from './frame-slab.ts';
import type { MemcachedKey } from './key.ts';

/** What nodes are asked by for items. */
export type ReadName = 'RS.MCGET' | 'RS.MCGETS' | 'MGET';

/** How a command for one key begins. */
const headsOfOne: Readonly<Record<ReadName, Buffer>> = {
  'RS.MCGET': Buffer.from('*2\r\n$8\r\nRS.MCGET\r\n'),
  'RS.MCGETS': Buffer.from('*2\r\n$9\r\nRS.MCGETS\r\n'),
  MGET: Buffer.from('*2\r\n$4\r\nMGET\r\n'),
};

export function readNameOf({ engine }: ShardRoute, withVersions: boolean): ReadName {
  if (engine !== 'ringside') return 'MGET';
  return withVersions ? 'RS.MCGETS' : 'RS.MCGET';
}

/** The frame in `frames` becomes the command of this name on one key. */
export function frameOfOne(frames: FrameSlab, name: ReadName, { buffer, start, end }: MemcachedKey): void {
  frames.beginWith(headsOfOne[name], ARGUMENT_BYTES + end - start);
  frames.bytes(buffer, start, end);
}
