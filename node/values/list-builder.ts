import { ChunkList } from './chunk-list.ts';
import {
  elementEnd,
  elementSize,
  elementStart,
  MAX_ELEMENT_BYTES,
  nextElement,
  writeElement,
} from './elements.ts';
import { MAX_PACKED_BYTES, MAX_PACKED_COUNT } from './packed.ts';
import type { Packing } from './packing.ts';

/** Builds a list from its head on. */
export class ListBuilder {
  readonly #packing: Packing;
  /** Null while it is packed. */
  large: ChunkList | null = null;

  constructor(packing: Packing) {
    this.#packing = packing;
  }

  begin(): void {
    this.large = null;
  }

  push(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    const size = elementSize(length);
    const packing = this.#packing;
    const fits =
      this.large === null &&
      length <= MAX_ELEMENT_BYTES &&
      packing.used + size <= MAX_PACKED_BYTES &&
      packing.count < MAX_PACKED_COUNT;
    if (!fits) {
      this.large ??= this.#leavePacked();
      this.large.push(false, buffer, start, end);
      return;
    }
    const at = packing.append(size);
    writeElement(packing.bytes, at, buffer, start, end);
  }

  #leavePacked(): ChunkList {
    const chunks = new ChunkList();
    const { bytes, start, end } = this.#packing;
    for (let at = start; at < end; at = nextElement(bytes, at)) {
      chunks.push(false, bytes, elementStart(bytes, at), elementEnd(bytes, at));
    }
    return chunks;
  }
}
