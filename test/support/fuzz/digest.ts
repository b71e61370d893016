const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a (Fowler, Noll, Vo) of what a codec made of its input: two outcomes are compared without being kept. */
export class Digest {
  value = OFFSET;

  bytes(buffer: Uint8Array, start: number, end: number): void {
    let value = this.value;
    for (let i = start; i < end; i++) value = Math.imul(value ^ buffer[i], PRIME);
    this.value = value;
    this.number(end - start);
  }

  number(value: number): void {
    let left = value | 0;
    for (let i = 0; i < 4; i++) {
      this.value = Math.imul(this.value ^ (left & 0xff), PRIME);
      left >>>= 8;
    }
  }
}
