import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readTrace, type TraceFormat } from '../../cli/bench/trace.ts';

/** The requests of a trace in order. */
export interface Requests {
  readonly name: string;
  /** The key of each request, as a number from 0 on in the order of first use. */
  readonly keys: Uint32Array;
  /** Bytes of the object of each request. */
  readonly sizes: Uint32Array;
  readonly distinct: number;
  /** Bytes of all distinct objects, each at the size of its first request. */
  readonly footprintBytes: number;
}

const files = {
  cloudphysics: ['cloudphysics.oracleGeneral.bin', 'oracle'],
  'scarab-recs': ['scarab-recs.i64be.gz', 'recs'],
  'cdn-request': ['cdn-request.txt.gz', 'cdn'],
} as const satisfies Record<string, readonly [string, TraceFormat]>;

export type TraceName = keyof typeof files;
export const traceNames = Object.keys(files) as TraceName[];

/** Size of objects in a trace that has none. */
const PLAIN_OBJECT_BYTES = 100;

/** Folder of the traces; null when they are not there. */
export function traceFolder(): string | null {
  const shared = process.env.RINGSIDE_SHARED ?? join(import.meta.dirname, '../../../shared');
  const folder = join(resolve(shared), 'data');
  return existsSync(folder) ? folder : null;
}

/** Reads a trace from `folder`. */
export async function readRequests(folder: string, name: TraceName): Promise<Requests> {
  const [file, format] = files[name];
  const trace = await readTrace(join(folder, file), format);
  const numbers = new Map<bigint, number>();
  const keys = new Uint32Array(trace.keys.length);
  const sizes = trace.sizes ?? new Uint32Array(trace.keys.length).fill(PLAIN_OBJECT_BYTES);
  let footprintBytes = 0;
  for (const [i, key] of trace.keys.entries()) {
    const known = numbers.get(key);
    keys[i] = known ?? numbers.size;
    if (known !== undefined) continue;
    numbers.set(key, numbers.size);
    footprintBytes += sizes[i];
  }
  return { name, keys, sizes, distinct: numbers.size, footprintBytes };
}
