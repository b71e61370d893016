import { join } from 'node:path';
import type { Logger } from '../../lib/base/index.ts';
import { AtomicFile } from '../../lib/net/index.ts';
import { parseDocument, type RingDocument } from '../../lib/ring/index.ts';

/** The last known good ring on disk: what a proxy starts from while no control plane answers. Without a folder it keeps nothing. */
export class RingStore {
  readonly #file: AtomicFile | null;
  readonly #log: Logger;

  constructor(dir: string | null, log: Logger) {
    this.#file = dir === null ? null : new AtomicFile(join(dir, 'ring.json'));
    this.#log = log;
  }

  /** Null when there is none, or none that can be read: then the control plane must be asked. */
  async load(): Promise<RingDocument | null> {
    try {
      const text = (await this.#file?.read()) ?? null;
      return text === null ? null : parseDocument(text);
    } catch (error) {
      this.#log.warn({ file: this.#file?.path, err: error }, 'the stored ring cannot be used');
      return null;
    }
  }

  /** Resolves once it is on disk; a disk that fails is logged, and the proxy goes on without. */
  async save(ringJson: string): Promise<void> {
    try {
      await this.#file?.write(ringJson);
    } catch (error) {
      this.#log.error({ file: this.#file?.path, err: error }, 'the ring could not be stored');
    }
  }
}
