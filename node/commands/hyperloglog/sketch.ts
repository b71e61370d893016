import {
  DENSE,
  DENSE_BYTES,
  estimate,
  FORM_AT,
  forEachRun,
  HEADER_BYTES,
  isHyperLogLog,
  MAGIC,
  MAX_RUN_VALUE,
  mergeRegisters,
  mergeRuns,
  placeRuns,
  REGISTER_BITS,
  REGISTER_MAX,
  REGISTERS,
  run,
  SPARSE,
  splitRun,
  writeZeros,
} from '../../../lib/codec/hyperloglog/index.ts';
import type { Found } from '../../values/index.ts';
import { Observation } from './hash.ts';

/** Where the last count is. */
export const COUNT_AT = 8;
/** Where the last count says by this bit that it is not true any more. */
export const STALE_AT = 15;
export const STALE = 0x80;
/** Behind the end, for what is added in one step, and zeros that reading may run into. */
const SLACK_BYTES = 8;

/** What is larger, because somebody made such a string, is not kept. */
const KEPT_BYTES = 64 * 1024;

const observation = new Observation();

/** Whether the bytes look like a HyperLogLog; a sparse one may still be corrupted inside. */
export function isSketch({ buffer, start, end }: Found): boolean {
  return isHyperLogLog(buffer, start, end);
}

/** Whether bytes that `isSketch` are of the dense form. */
export function isDense({ buffer, start }: Found): boolean {
  return buffer[start + FORM_AT] === DENSE;
}

/** The bytes of a dense HyperLogLog that a register is to have, and where. */
export interface Raised {
  at: number;
  readonly bytes: Buffer;
}

/** Works out how a dense HyperLogLog, seen where it lies, takes note of an element; returns how many bytes change, 0 for none. */
export function raiseIn({ buffer, start }: Found, { register, value }: Observation, raised: Raised): number {
  const bit = register * REGISTER_BITS;
  const shift = bit & 7;
  raised.at = HEADER_BYTES + (bit >> 3);
  const at = start + raised.at;
  const size = shift + REGISTER_BITS > 8 ? 2 : 1;
  const word = buffer[at] | (size === 2 ? buffer[at + 1] << 8 : 0);
  if (value <= ((word >> shift) & REGISTER_MAX)) return 0;
  const changed = (word & ~(REGISTER_MAX << shift)) | (value << shift);
  raised.bytes[0] = changed;
  raised.bytes[1] = changed >> 8;
  return size;
}

/** What a change came to; `corrupted` when the sparse form breaks off or reaches too far. */
export type Change = 'changed' | 'same' | 'corrupted';

/** A HyperLogLog that is being worked on, in memory of its own. Source of the form: Redis's, byte for byte. */
export class Sketch {
  /** Holds it from the start on. */
  bytes: Buffer = Buffer.alloc(DENSE_BYTES + SLACK_BYTES);
  length = 0;

  /** Becomes an empty one. */
  clear(): void {
    this.bytes.fill(0, 0, HEADER_BYTES + SLACK_BYTES);
    this.bytes.set(MAGIC);
    this.bytes[FORM_AT] = SPARSE;
    this.length = writeZeros(this.bytes, HEADER_BYTES, REGISTERS);
  }

  /** Becomes a copy of bytes that `isSketch`. */
  load({ buffer, start, end }: Found): void {
    this.length = end - start;
    const needed = Math.max(this.length, DENSE_BYTES) + SLACK_BYTES;
    if (needed > this.bytes.length || this.bytes.length > KEPT_BYTES) this.bytes = Buffer.alloc(needed);
    buffer.copy(this.bytes, 0, start, end);
    this.#endWithZeros();
  }

  #endWithZeros(): void {
    this.bytes.fill(0, this.length, this.length + SLACK_BYTES);
  }

  get isDense(): boolean {
    return this.bytes[FORM_AT] === DENSE;
  }

  /** Says that the last count is not true any more. */
  invalidate(): void {
    this.bytes[STALE_AT] |= STALE;
  }

  /** The last count when it is still true, else null. */
  get lastCount(): bigint | null {
    return this.bytes[STALE_AT] & STALE ? null : this.bytes.readBigUInt64LE(COUNT_AT);
  }

  /** Remembers the count. */
  setCount(count: number | bigint): void {
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(count)), COUNT_AT);
  }

  /** Notes an element. `maxSparseBytes`: from how many on the sparse form is given up. */
  add(buffer: Buffer, start: number, end: number, maxSparseBytes: number): Change {
    observation.of(buffer, start, end);
    return this.raise(observation.register, observation.value, maxSparseBytes);
  }

  /** Gives a register a value unless it has that or more. */
  raise(register: number, value: number, maxSparseBytes: number): Change {
    return this.isDense
      ? this.#raiseDense(register, value)
      : this.#raiseSparse(register, value, maxSparseBytes);
  }

  /** The value of a register of the dense form. */
  registerOf(register: number): number {
    const bit = register * REGISTER_BITS;
    const at = HEADER_BYTES + (bit >> 3);
    const word = this.bytes[at] | (this.bytes[at + 1] << 8);
    return (word >> (bit & 7)) & REGISTER_MAX;
  }

  /** Sets a register of the dense form. */
  setRegister(register: number, value: number): void {
    const bit = register * REGISTER_BITS;
    const at = HEADER_BYTES + (bit >> 3);
    const shift = bit & 7;
    const word = this.bytes[at] | (this.bytes[at + 1] << 8);
    const changed = (word & ~(REGISTER_MAX << shift)) | (value << shift);
    this.bytes[at] = changed;
    this.bytes[at + 1] = changed >> 8;
  }

  #raiseDense(register: number, value: number): Change {
    if (value <= this.registerOf(register)) return 'same';
    this.setRegister(register, value);
    return 'changed';
  }

  #raiseSparse(register: number, value: number, maxSparseBytes: number): Change {
    if (value > MAX_RUN_VALUE) return this.#raiseAsDense(register, value);
    const { bytes, length } = this;
    let at = HEADER_BYTES;
    let before = -1;
    let first = 0;
    for (; at < length; at += run.bytes) {
      run.read(bytes, at);
      if (register < first + run.registers) break;
      before = at;
      first += run.registers;
    }
    if (at >= length) return 'corrupted';
    if (run.value >= value) return 'same';
    const old = run.bytes;
    const size = splitRun(register - first, value, first + run.registers - 1 - register);
    const grown = size - old;
    if (grown > 0 && length + grown > maxSparseBytes) return this.#raiseAsDense(register, value);
    this.#makeRoom(length + grown);
    if (grown !== 0 && at + old < length) this.bytes.copyWithin(at + size, at + old, length);
    placeRuns(this.bytes, at, size);
    this.length = mergeRuns(this.bytes, before < 0 ? HEADER_BYTES : before, length + grown);
    this.#endWithZeros();
    this.invalidate();
    return 'changed';
  }

  #makeRoom(length: number): void {
    if (length + SLACK_BYTES <= this.bytes.length) return;
    const larger = Buffer.alloc(2 * length);
    this.bytes.copy(larger);
    this.bytes = larger;
  }

  #raiseAsDense(register: number, value: number): Change {
    return this.makeDense() ? this.#raiseDense(register, value) : 'corrupted';
  }

  /** Turns into the dense form; false when the sparse one is corrupted. */
  makeDense(): boolean {
    if (this.isDense) return true;
    const values = new Uint8Array(REGISTERS);
    if (!this.mergeInto(values)) return false;
    this.#makeRoom(DENSE_BYTES);
    this.length = DENSE_BYTES;
    this.bytes.fill(0, HEADER_BYTES, DENSE_BYTES + SLACK_BYTES);
    this.bytes[FORM_AT] = DENSE;
    for (let register = 0; register < REGISTERS; register++) {
      if (values[register] !== 0) this.setRegister(register, values[register]);
    }
    return true;
  }

  /** Visits the runs of the sparse form; false, possibly after some of them, when it is corrupted. */
  forEachRun(visit: (value: number, first: number, registers: number) => void): boolean {
    return forEachRun(this.bytes, 0, this.length, visit);
  }

  /** The runs of the sparse form as they stand, corrupted or not: `z:` and `Z:` for zeros, `v:` for values. */
  describeRuns(): string {
    const texts: string[] = [];
    for (let at = HEADER_BYTES; at < this.length; at += run.bytes) {
      run.read(this.bytes, at);
      const { value, registers, bytes } = run;
      texts.push(value !== 0 ? `v:${value},${registers}` : `${bytes === 1 ? 'z' : 'Z'}:${registers}`);
    }
    return texts.join(' ');
  }

  /** Raises each of the values to that of the register; false when the sparse form is corrupted. */
  mergeInto(values: Uint8Array): boolean {
    return mergeRegisters(this.bytes, 0, this.length, values);
  }

  /** About how many different elements were noted; null when the sparse form is corrupted. */
  count(): number | bigint | null {
    const histogram = new Int32Array(REGISTER_MAX + 1);
    if (this.isDense) {
      for (let i = 0; i < REGISTERS; i++) histogram[this.registerOf(i)]++;
    } else {
      const isSound = this.forEachRun((value, _first, registers) => {
        histogram[value] += registers;
      });
      if (!isSound) return null;
    }
    return estimate(histogram);
  }
}
