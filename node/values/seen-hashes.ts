const FIRST_SLOTS = 16;

/** Notes hashes, and says which come again. Small and quick for a few; what it has grown to it keeps for the next ones. */
export class SeenHashes {
  /** The first `#used` slots: hashes, each from its place on; 0 where there is none. */
  #slots = new Int32Array(FIRST_SLOTS);
  #used = FIRST_SLOTS;
  /** The same, in their order. */
  #noted = new Int32Array(FIRST_SLOTS / 2);
  #count = 0;

  /** Forgets all. */
  clear(): void {
    const slots = this.#slots;
    this.#used = FIRST_SLOTS;
    this.#count = 0;
    for (let i = 0; i < FIRST_SLOTS; i++) slots[i] = 0;
  }

  /** Whether this one has come before. */
  note(hash: number): boolean {
    const noted = hash | 0 || 1;
    if (!this.#enter(noted)) return true;
    this.#noted[this.#count++] = noted;
    if (this.#count === this.#noted.length || this.#count * 2 === this.#used) this.#grow();
    return false;
  }

  #enter(hash: number): boolean {
    const slots = this.#slots;
    const mask = this.#used - 1;
    let at = hash & mask;
    while (slots[at] !== 0) {
      if (slots[at] === hash) return false;
      at = (at + 1) & mask;
    }
    slots[at] = hash;
    return true;
  }

  #grow(): void {
    const noted = this.#noted;
    this.#used *= 4;
    if (this.#slots.length < this.#used) {
      this.#slots = new Int32Array(this.#used);
      this.#noted = new Int32Array(this.#used / 2);
      this.#noted.set(noted);
    } else this.#slots.fill(0, 0, this.#used);
    for (let i = 0; i < this.#count; i++) this.#enter(noted[i]);
  }
}
