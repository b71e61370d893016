import { bulkScannerWasm } from './bulk-scanner-wasm.ts';

/** Where things lie in the memory of `bulk-scanner.wat`. */
const MAX_TEXT_BYTES = 0x10000;
const OFFSETS_AT = 0x18000;
const MAX_ARGS = 8192;
/** Fewer are found by a loop as fast. */
const FEWEST = 16;
/** With longer arguments, copying them there costs more than it saves. */
const MAX_BYTES_PER_ARG = 128;

interface Exports {
  readonly memory: WebAssembly.Memory;
  scan(to: number, most: number, maxBytes: number, base: number): number;
}

/** Finds the arguments of commands that have many short ones, in WebAssembly. */
export class BulkScanner {
  /** Of what `scan` found: where each argument begins and ends. */
  readonly offsets: Int32Array;
  readonly #exports: Exports;
  readonly #memory: Buffer;

  constructor() {
    const compiled = new WebAssembly.Module(Buffer.from(bulkScannerWasm, 'base64'));
    this.#exports = new WebAssembly.Instance(compiled).exports as unknown as Exports;
    const { buffer } = this.#exports.memory;
    this.#memory = Buffer.from(buffer);
    this.offsets = new Int32Array(buffer, OFFSETS_AT, 2 * MAX_ARGS);
  }

  /** Whether it pays to look for `args` arguments in so many bytes. */
  suits(args: number, bytes: number): boolean {
    return args >= FEWEST && bytes <= Math.min(MAX_TEXT_BYTES, MAX_BYTES_PER_ARG * args);
  }

  /**
   * Finds the arguments that `bytes[from, to)` begins with, as many as `most` and of `maxBytes` each, up to one that has not come whole or is odd; `suits` was asked about
   * them. Returns how many, and tells in `offsets` where they are, counted from `origin`.
   */
  scan(bytes: Buffer, from: number, to: number, most: number, maxBytes: number, origin: number): number {
    bytes.copy(this.#memory, 0, from, to);
    return this.#exports.scan(to - from, Math.min(most, MAX_ARGS), maxBytes, from - origin);
  }
}
