import { join } from 'node:path';
import { isRingsideError, type Logger } from '../../lib/base/index.ts';
import { AtomicFile } from '../../lib/net/index.ts';
import { parseDocument } from '../../lib/ring/index.ts';

/** What an earlier process of a node left in its folder. */
export interface Remembered {
  /** The ring document as it was pushed; null for none. */
  readonly documentJson: string | null;
  readonly sealedEpoch: number;
}

/** The epoch of the shard in a document that was kept; 0 when there is none, or it makes no sense. */
export function keptEpoch(documentJson: string | null, shard: string): number {
  if (documentJson === null) return 0;
  try {
    const { shards } = parseDocument(documentJson);
    return Number(shards.find(({ name }) => name === shard)?.epoch ?? 0);
  } catch (error) {
    if (!isRingsideError(error)) throw error;
    return 0;
  }
}

/** What a node must not forget: the document it applied and the shard epoch it was sealed at. Without a folder, nothing is kept. */
export class NodeFiles {
  readonly #document: AtomicFile | null;
  readonly #seal: AtomicFile | null;
  readonly #log: Logger;

  constructor(dir: string | null, log: Logger) {
    this.#document = dir === null ? null : new AtomicFile(join(dir, 'ring.json'));
    this.#seal = dir === null ? null : new AtomicFile(join(dir, 'seal.json'));
    this.#log = log;
  }

  /** Reads both files; one that cannot be understood counts as missing, and is logged. */
  async read(): Promise<Remembered> {
    const documentJson = (await this.#document?.read()) ?? null;
    const seal = (await this.#seal?.read()) ?? null;
    return { documentJson, sealedEpoch: seal === null ? 0 : this.#parseSeal(seal) };
  }

  #parseSeal(text: string): number {
    try {
      const { sealedEpoch } = JSON.parse(text) as { sealedEpoch: unknown };
      if (Number.isSafeInteger(sealedEpoch)) return sealedEpoch as number;
    } catch (error) {
      this.#log.debug({ err: error }, 'seal.json is no JSON');
    }
    this.#log.warn(
      { file: this.#seal?.path },
      'the file of the sealed epoch is damaged and counts as missing',
    );
    return 0;
  }

  /** Resolves when the document is on disk. Rejects with the platform's error. */
  async writeDocument(json: string): Promise<void> {
    await this.#document?.write(json);
  }

  /** Resolves when the sealed epoch is on disk. Rejects with the platform's error. */
  async writeSeal(sealedEpoch: number): Promise<void> {
    await this.#seal?.write(JSON.stringify({ sealedEpoch }));
  }
}
