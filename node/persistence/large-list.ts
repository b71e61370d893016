import type { RdbWriter } from '../../lib/codec/rdb/index.ts';
import type { ChunkList, ChunkWatcher, ListChunk } from '../values/index.ts';
import type { LargeElements } from './large-elements.ts';

/** The elements of a list: its chunks as they were, of which those that change are copied first, 32 KiB at most. */
export class LargeList implements LargeElements, ChunkWatcher {
  readonly #list: ChunkList;
  readonly #chunks: ListChunk[];
  /** Those that are neither written nor kept. */
  readonly #waiting: Set<ListChunk>;
  readonly #kept = new Map<ListChunk, ListChunk>();
  #next = 0;
  readonly size: number;
  keptBytes = 0;

  constructor(list: ChunkList) {
    this.#list = list;
    this.#chunks = list.chunks();
    this.#waiting = new Set(this.#chunks);
    this.size = list.size;
    list.watchers = [...list.watchers, this];
  }

  changing(chunk: ListChunk): void {
    if (this.#waiting.has(chunk)) this.#keep(chunk, chunk.copy());
  }

  leaving(chunk: ListChunk): boolean {
    const isNeeded = this.#waiting.has(chunk);
    if (isNeeded) this.#keep(chunk, chunk);
    return isNeeded;
  }

  #keep(chunk: ListChunk, content: ListChunk): void {
    this.#waiting.delete(chunk);
    this.#kept.set(chunk, content);
    this.keptBytes += content.reservedBytes;
  }

  write(writer: RdbWriter): boolean {
    const chunk = this.#chunks[this.#next++];
    const kept = this.#kept.get(chunk);
    (kept ?? chunk).forEach((buffer, start, end) => {
      writer.string(buffer, start, end);
    });
    this.#waiting.delete(chunk);
    if (kept !== undefined) {
      this.#kept.delete(chunk);
      this.keptBytes -= kept.reservedBytes;
    }
    if (this.#next < this.#chunks.length) return true;
    this.close();
    return false;
  }

  close(): void {
    this.#list.watchers = this.#list.watchers.filter((watcher) => watcher !== this);
  }
}
