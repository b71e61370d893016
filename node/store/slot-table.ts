/** Words of a row that hold links and numbers. */
export const NEXT = 0;
export const HASH = 1;
export const OLDER = 2;
export const NEWER = 3;
export const EXPIRY_PLACE = 4;
export const VERSION_LOW = 5;
export const VERSION_HIGH = 6;
/** Lengths of the inline key (lowest byte) and of the inline value (next byte). */
const LENGTHS = 7;
/** Row `slot` begins at word `slot << SLOT_SHIFT`. */
export const SLOT_SHIFT = 4;

const ROW_BYTES_SHIFT = SLOT_SHIFT + 2;
/** Where a row's inline bytes begin, and how many there are. */
const INLINE_AT = 32;
const INLINE_BYTES = 32;
/** Instead of an inline length: the bytes are somewhere else. */
const ELSEWHERE = 255;

const INITIAL_CAPACITY = 1024;

/**
 * The rows of all entries, off the heap, one cache line each: links of the index, the LRU list and the set of expiring slots,
 * the version, and key and value where they are short. A small entry costs one cache miss and no garbage; a key that does not fit is a
 * string here, a value that does not fit is its owner's to keep. Slot 0 is nobody's: its words are anchors.
 */
export class SlotTable {
  /** All rows as words and as bytes; replaced when the table grows, so not to be kept. */
  words = new Int32Array(INITIAL_CAPACITY << SLOT_SHIFT);
  bytes = Buffer.from(this.words.buffer);
  /** Keys that are not inline, one character a byte. */
  readonly #longKeys: (string | undefined)[] = [];
  readonly #free: number[] = [];
  /** Slots below this one have been in use. */
  top = 1;

  /** A slot that nobody uses, for this key and an empty value. */
  take(key: Buffer, start: number, end: number): number {
    const slot = this.#free.pop() ?? this.#takeNew();
    const length = end - start;
    if (length <= INLINE_BYTES) {
      this.words[(slot << SLOT_SHIFT) + LENGTHS] = length;
      copy(key, start, end, this.bytes, (slot << ROW_BYTES_SHIFT) + INLINE_AT);
    } else {
      this.words[(slot << SLOT_SHIFT) + LENGTHS] = ELSEWHERE;
      this.#longKeys[slot] = key.latin1Slice(start, end);
    }
    return slot;
  }

  #takeNew(): number {
    if (this.top << SLOT_SHIFT === this.words.length) this.#grow();
    return this.top++;
  }

  #grow(): void {
    const larger = new Int32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
    this.bytes = Buffer.from(larger.buffer);
  }

  release(slot: number): void {
    this.#longKeys[slot] = undefined;
    this.words[(slot << SLOT_SHIFT) + LENGTHS] = -1;
    this.#free.push(slot);
  }

  isFree(slot: number): boolean {
    return this.words[(slot << SLOT_SHIFT) + LENGTHS] === -1;
  }

  /** Whether the slot's key is these bytes. */
  hasKey(slot: number, buffer: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const keyLength = this.words[(slot << SLOT_SHIFT) + LENGTHS] & 255;
    if (keyLength === ELSEWHERE) return equalsText(this.#longKeys[slot]!, buffer, start, length);
    if (keyLength !== length) return false;
    const { bytes } = this;
    const at = (slot << ROW_BYTES_SHIFT) + INLINE_AT;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== buffer[start + i]) return false;
    return true;
  }

  /** The key, one character a byte. */
  keyOf(slot: number): string {
    const length = this.words[(slot << SLOT_SHIFT) + LENGTHS] & 255;
    if (length === ELSEWHERE) return this.#longKeys[slot]!;
    const at = (slot << ROW_BYTES_SHIFT) + INLINE_AT;
    return this.bytes.latin1Slice(at, at + length);
  }

  /** Bytes the key takes outside of the row; 0 for an inline key. */
  longKeyBytes(slot: number): number {
    const length = this.words[(slot << SLOT_SHIFT) + LENGTHS] & 255;
    return length === ELSEWHERE ? this.#longKeys[slot]!.length : 0;
  }

  /** Makes these bytes the inline value; false when they do not fit. */
  setInline(slot: number, value: Buffer, start: number, end: number): boolean {
    const lengths = (slot << SLOT_SHIFT) + LENGTHS;
    const keyLength = this.words[lengths] & 255;
    const length = end - start;
    // A key that is elsewhere counts as too long for any value beside it.
    if (keyLength + length > INLINE_BYTES) return false;
    this.words[lengths] = keyLength | (length << 8);
    copy(value, start, end, this.bytes, (slot << ROW_BYTES_SHIFT) + INLINE_AT + keyLength);
    return true;
  }

  /** Notes that the value is somewhere else. */
  setElsewhere(slot: number): void {
    const lengths = (slot << SLOT_SHIFT) + LENGTHS;
    this.words[lengths] = (this.words[lengths] & 255) | (ELSEWHERE << 8);
  }

  /** Length of the inline value; -1 when the value is somewhere else. */
  inlineLength(slot: number): number {
    const length = this.words[(slot << SLOT_SHIFT) + LENGTHS] >>> 8;
    return length === ELSEWHERE ? -1 : length;
  }

  /** Where in `bytes` the inline value begins. */
  inlineStart(slot: number): number {
    return (slot << ROW_BYTES_SHIFT) + INLINE_AT + (this.words[(slot << SLOT_SHIFT) + LENGTHS] & 255);
  }

  clear(): void {
    this.words = new Int32Array(INITIAL_CAPACITY << SLOT_SHIFT);
    this.bytes = Buffer.from(this.words.buffer);
    this.#longKeys.length = 0;
    this.#free.length = 0;
    this.top = 1;
  }
}

/** A loop: for so few bytes, a call into native code costs more. */
function copy(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  for (let i = start, to = at; i < end; i++, to++) target[to] = source[i];
}

function equalsText(key: string, buffer: Uint8Array, start: number, length: number): boolean {
  if (key.length !== length) return false;
  for (let i = 0; i < length; i++) if (key.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
