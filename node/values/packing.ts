import { murmur3x86_32 } from '../../lib/ring/index.ts';
import { MAX_PACKED_BYTES, PACKED_HEADER_BYTES, writePackedHeader } from './packed.ts';
import { SeenHashes } from './seen-hashes.ts';

/** In front of the elements: for the header, and for as many elements as may come before the first. */
const FRONT_BYTES = MAX_PACKED_BYTES + PACKED_HEADER_BYTES;
const FIRST_BYTES = FRONT_BYTES + 2 * MAX_PACKED_BYTES;

/** A packed value that is being built, in a room that serves one after the other: what `packed` reads when it is the value of an entry. */
export class Packing {
  readonly #seen = new SeenHashes();
  /** Holds the elements, from `start` to `end`. */
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  start = FRONT_BYTES;
  end = FRONT_BYTES;
  count = 0;
  /** Whether it has been beyond a limit of Redis's compact encoding. */
  isOutgrown = false;

  /** Begins another one. */
  clear(): void {
    if (this.bytes.length > FIRST_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#seen.clear();
    this.start = FRONT_BYTES;
    this.end = FRONT_BYTES;
    this.count = 0;
    this.isOutgrown = false;
  }

  /** Bytes of all elements. */
  get used(): number {
    return this.end - this.start;
  }

  /** Takes note of a key. False when it has surely not been noted before; else it has to be looked for. */
  note(buffer: Buffer, start: number, end: number): boolean {
    return this.#seen.note(murmur3x86_32(buffer, start, end, 0));
  }

  /** Makes room for an element of `size` bytes behind the others; returns where. */
  append(size: number): number {
    const at = this.end;
    if (at + size > this.bytes.length) this.#grow(at + size);
    this.end = at + size;
    this.count++;
    return at;
  }

  /** As `append`, before the others, of which there are no more than `MAX_PACKED_BYTES`. */
  prepend(size: number): number {
    this.start -= size;
    this.count++;
    return this.start;
  }

  /** As `append`, before the element at `at`. */
  insert(at: number, size: number): number {
    const end = this.append(size);
    this.bytes.copyWithin(at + size, at, end);
    return at;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * needed);
    this.bytes.copy(larger, this.start, this.start, this.end);
    this.bytes = larger;
  }

  /** Completes it: the value goes from where this returns up to `end`. */
  finish(): number {
    const from = this.start - PACKED_HEADER_BYTES;
    writePackedHeader(this.bytes, from, this.isOutgrown, this.count, this.used);
    return from;
  }
}
