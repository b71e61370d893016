import { estimate, REGISTERS } from './estimate.ts';
import { run } from './sparse.ts';

/*
 * A HyperLogLog is a string: "HYLL", a byte for the form, three for nothing, the last count in eight bytes (the highest bit says that it
 * is not true any more), and the registers. Source of the form: Redis's, byte for byte.
 */

/** How every HyperLogLog begins. */
export const MAGIC: readonly number[] = [0x48, 0x59, 0x4c, 0x4c];
/** Where the form is, and which there are. */
export const FORM_AT = 4;
export const DENSE = 0;
export const SPARSE = 1;
/** Where the registers are. */
export const HEADER_BYTES = 16;
export const REGISTER_BITS = 6;
/** The largest value of a register. */
export const REGISTER_MAX = 63;
/** Length of one of the dense form. */
export const DENSE_BYTES: number = HEADER_BYTES + (REGISTERS * REGISTER_BITS) / 8;

/** Whether `buffer[start, end)` looks like a HyperLogLog; a sparse one may still be corrupted inside. */
export function isHyperLogLog(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false;
  if (MAGIC.some((byte, i) => buffer[start + i] !== byte)) return false;
  const form = buffer[start + FORM_AT];
  return form === SPARSE || (form === DENSE && end - start === DENSE_BYTES);
}

/** Raises each of the values to that of the register, of bytes that `isHyperLogLog`; false when they are corrupted, possibly after some. */
export function mergeRegisters(buffer: Buffer, start: number, end: number, values: Uint8Array): boolean {
  if (buffer[start + FORM_AT] === SPARSE) return mergeRuns(buffer, start, end, values);
  for (let register = 0; register < REGISTERS; register++) {
    const bit = register * REGISTER_BITS;
    const at = start + HEADER_BYTES + (bit >> 3);
    const shift = bit & 7;
    // The last register ends with the last byte.
    const word = shift + REGISTER_BITS > 8 ? buffer[at] | (buffer[at + 1] << 8) : buffer[at];
    const value = (word >> shift) & REGISTER_MAX;
    if (value > values[register]) values[register] = value;
  }
  return true;
}

function mergeRuns(buffer: Buffer, start: number, end: number, values: Uint8Array): boolean {
  return forEachRun(buffer, start, end, (value, first, registers) => {
    for (let i = first; i < first + registers; i++) if (value > values[i]) values[i] = value;
  });
}

/** Visits the runs of the sparse form; false, possibly after some of them, when it is corrupted. */
export function forEachRun(
  buffer: Buffer,
  start: number,
  end: number,
  visit: (value: number, first: number, registers: number) => void,
): boolean {
  let first = 0;
  for (let at = start + HEADER_BYTES; at < end; ) {
    run.read(buffer, at);
    const { value, registers, bytes } = run;
    if (first + registers > REGISTERS) return false;
    visit(value, first, registers);
    first += registers;
    at += bytes;
  }
  return first === REGISTERS;
}

/** About how many different elements were noted, from the values of all registers. */
export function countOfRegisters(values: Uint8Array): number | bigint {
  const histogram = new Int32Array(REGISTER_MAX + 1);
  for (const value of values) histogram[value]++;
  return estimate(histogram);
}
