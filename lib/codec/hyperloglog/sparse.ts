/*
 * The sparse form: runs of registers with the same value. `00llllll`: l + 1 zeros; `01llllll llllllll`: l + 1 zeros; `1vvvvvll`: l + 1
 * registers of the value v + 1.
 */

const LONG_ZEROS = 0x40;
const VALUE = 0x80;
const KIND = 0xc0;
/** The largest value that a run can have. */
export const MAX_RUN_VALUE = 32;
const MAX_RUN_LENGTH = 4;
const MAX_ZEROS = 64;
/** Runs looked at for two that can be one, from the one before the change on. */
const MERGED_RUNS = 5;

/** The run that starts at a byte. */
export const run = {
  /** 0 for zeros. */
  value: 0,
  registers: 0,
  bytes: 1,
  read(buffer: Uint8Array, at: number): void {
    const code = buffer[at];
    this.bytes = 1;
    this.value = 0;
    if (code & VALUE) {
      this.value = ((code >> 2) & 0x1f) + 1;
      this.registers = (code & 3) + 1;
    } else if ((code & KIND) === LONG_ZEROS) {
      this.registers = (((code & 0x3f) << 8) | buffer[at + 1]) + 1;
      this.bytes = 2;
    } else {
      this.registers = (code & 0x3f) + 1;
    }
  },
};

/** Writes a run of zeros, or none; returns where the next one goes. */
export function writeZeros(buffer: Uint8Array, at: number, registers: number): number {
  if (registers === 0) return at;
  if (registers <= MAX_ZEROS) {
    buffer[at] = registers - 1;
    return at + 1;
  }
  buffer[at] = LONG_ZEROS | ((registers - 1) >> 8);
  buffer[at + 1] = (registers - 1) & 0xff;
  return at + 2;
}

function writeValue(buffer: Uint8Array, at: number, value: number, registers: number): number {
  if (registers === 0) return at;
  buffer[at] = VALUE | ((value - 1) << 2) | (registers - 1);
  return at + 1;
}

/** Up to three runs that take the place of one. */
const replacement = new Uint8Array(5);

/** Makes `replacement` of the run just read, with one register in it given a value; returns its bytes. */
export function splitRun(before: number, value: number, after: number): number {
  const old = run.value;
  const write = (at: number, registers: number) =>
    old === 0 ? writeZeros(replacement, at, registers) : writeValue(replacement, at, old, registers);
  const at = writeValue(replacement, write(0, before), value, 1);
  return write(at, after);
}

/** Copies what `splitRun` has made. */
export function placeRuns(buffer: Uint8Array, at: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) buffer[at + i] = replacement[i];
}

/** Makes one of neighbouring runs of the same value, from the run at `from` on; returns where the runs end now. */
export function mergeRuns(buffer: Uint8Array, from: number, end: number): number {
  let last = end;
  let at = from;
  for (let i = 0; i < MERGED_RUNS && at < last; i++) {
    run.read(buffer, at);
    const { value, registers, bytes } = run;
    if (value !== 0 && at + 1 < last) {
      run.read(buffer, at + 1);
      const together = registers + run.registers;
      if (run.value === value && together <= MAX_RUN_LENGTH) {
        writeValue(buffer, at + 1, value, together);
        buffer.copyWithin(at, at + 1, last);
        last--;
        continue;
      }
    }
    at += bytes;
  }
  return last;
}
