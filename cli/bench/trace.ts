import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { RingsideError } from '../../lib/base/index.ts';
import { GET, get, LATER, type Source, set } from './operation.ts';

/** `oracle`: 24-byte records of libCacheSim. `recs`: big-endian 64-bit keys. `cdn`: text lines `time key size`. */
export const TRACE_FORMATS = ['oracle', 'recs', 'cdn'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** The requests of a trace in order, kept in typed arrays: 12 bytes a request. */
export interface Trace {
  readonly keys: BigUint64Array | BigInt64Array;
  /** Size of each object in bytes; null when the format has none. */
  readonly sizes: Uint32Array | null;
}

const GZIP_MAGIC = [0x1f, 0x8b];
const ORACLE_BYTES = 24;
const RECS_BYTES = 8;
const FIRST_CAPACITY = 65_536;

/** Reads a trace, gzipped or not, but no more than its first `limit` requests. Throws RingsideError `bad_request` with the place of the first mistake. */
export async function readTrace(file: string, format: TraceFormat, limit = Infinity): Promise<Trace> {
  const builder = new TraceBuilder(format !== 'recs', limit);
  const read = { oracle: readOracle, recs: readRecs, cdn: readCdn }[format];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of await openTrace(file)) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
    rest = bytes.subarray(read(bytes, builder, file));
    if (builder.isFull) return builder.finish();
  }
  if (format === 'cdn' && rest.length > 0) read(Buffer.concat([rest, Buffer.from('\n')]), builder, file);
  else if (rest.length > 0) throw invalid(file, `ends in the middle of a record: is it a ${format} trace?`);
  if (builder.length === 0) throw invalid(file, 'holds no request');
  return builder.finish();
}

/**
 * Look-aside replay: GET of each key, and on a miss SET with the trace's size (`valueBytes` where it has none).
 *
 * A key is asked for again only when what its former request led to is done: else many connections would miss keys that are
 * just being filled, which the one client of the trace never did.
 */
export function replay(trace: Trace, valueBytes: number): Source {
  const underWay = new Set<string>();
  const sizeAt = (i: number) => (trace.sizes ? trace.sizes[i] : valueBytes);
  let at = 0;
  return {
    next() {
      if (at >= trace.keys.length) return null;
      const key = `trace:${trace.keys[at]}`;
      if (underWay.has(key)) return LATER;
      underWay.add(key);
      return get(key, sizeAt(at++));
    },
    followUp({ kind, key, valueBytes: size }, hits) {
      if (kind === GET && hits === 0) return set(key, size);
      underWay.delete(key);
      return null;
    },
    failed({ key }) {
      underWay.delete(key);
    },
  };
}

async function openTrace(file: string): Promise<Readable> {
  const head = createReadStream(file, { start: 0, end: 1 });
  const magic: number[] = [];
  for await (const chunk of head) magic.push(...(chunk as Buffer));
  const stream = createReadStream(file, { highWaterMark: 1 << 20 });
  if (magic[0] !== GZIP_MAGIC[0] || magic[1] !== GZIP_MAGIC[1]) return stream;
  const gunzip = createGunzip({ chunkSize: 1 << 20 });
  stream.on('error', (error) => gunzip.destroy(error));
  gunzip.on('close', () => stream.destroy());
  return stream.pipe(gunzip);
}

/** Little-endian: u32 time, u64 key, u32 size, i64 next access. */
function readOracle(bytes: Buffer, builder: TraceBuilder): number {
  let at = 0;
  for (; at + ORACLE_BYTES <= bytes.length && !builder.isFull; at += ORACLE_BYTES) {
    builder.add(bytes.readBigUInt64LE(at + 4), bytes.readUInt32LE(at + 12));
  }
  return at;
}

function readRecs(bytes: Buffer, builder: TraceBuilder): number {
  let at = 0;
  for (; at + RECS_BYTES <= bytes.length && !builder.isFull; at += RECS_BYTES) {
    builder.add(BigInt.asUintN(64, bytes.readBigInt64BE(at)), 0);
  }
  return at;
}

function readCdn(bytes: Buffer, builder: TraceBuilder, file: string): number {
  const end = bytes.lastIndexOf(0x0a) + 1;
  for (const line of bytes.toString('latin1', 0, end).split('\n')) {
    if (line === '') continue;
    if (builder.isFull) break;
    const [, key, size] = line.split(' ');
    if (!/^\d{1,19}$/.test(key ?? '') || !/^\d{1,9}$/.test(size ?? '')) {
      throw invalid(
        file,
        `request ${builder.length + 1} is not \`time key size\`: ${JSON.stringify(line.slice(0, 60))}`,
      );
    }
    builder.add(BigInt(key), Number(size));
  }
  return end;
}

class TraceBuilder {
  length = 0;
  readonly #limit: number;
  #keys = new BigUint64Array(FIRST_CAPACITY);
  #sizes: Uint32Array | null;

  constructor(hasSizes: boolean, limit: number) {
    this.#limit = limit;
    this.#sizes = hasSizes ? new Uint32Array(FIRST_CAPACITY) : null;
  }

  get isFull(): boolean {
    return this.length >= this.#limit;
  }

  add(key: bigint, size: number): void {
    if (this.length === this.#keys.length) this.#grow();
    this.#keys[this.length] = key;
    if (this.#sizes) this.#sizes[this.length] = size;
    this.length++;
  }

  finish(): Trace {
    return {
      keys: this.#keys.subarray(0, this.length),
      sizes: this.#sizes?.subarray(0, this.length) ?? null,
    };
  }

  #grow(): void {
    const keys = new BigUint64Array(this.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    if (!this.#sizes) return;
    const sizes = new Uint32Array(this.length * 2);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
  }
}

function invalid(file: string, what: string): RingsideError {
  return new RingsideError('bad_request', `${file} ${what}`);
}
