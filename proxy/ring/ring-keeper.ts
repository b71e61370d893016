import { isRingsideError, type Logger } from '../../lib/base/index.ts';
import { judgeDocument, parseDocument, type RingDocument } from '../../lib/ring/index.ts';
import type { RingStore } from './ring-store.ts';

/** What became of an offered document. */
export type Verdict =
  | { readonly accepted: true; readonly document: RingDocument }
  | { readonly accepted: false; readonly code: 'older' | 'conflict' | 'invalid'; readonly message: string };

/**
 * The ring this proxy goes by. Applies only what is newer than what it holds, refuses two contents for one version, and stores what it
 * applied before saying so.
 */
export class RingKeeper {
  readonly #store: RingStore;
  readonly #log: Logger;
  readonly #apply: (document: RingDocument) => void;
  readonly #confirm: () => void;
  #held: RingDocument | null = null;
  #heldJson = '';

  /** `apply` takes over a new document; `confirm` hears that the held one is still the newest. */
  constructor(store: RingStore, log: Logger, apply: (document: RingDocument) => void, confirm: () => void) {
    this.#store = store;
    this.#log = log;
    this.#apply = apply;
    this.#confirm = confirm;
  }

  get held(): RingDocument | null {
    return this.#held;
  }

  /** The held document as it was pushed; empty without one. */
  get heldJson(): string {
    return this.#heldJson;
  }

  /** Starts from the stored ring, if there is one. */
  async restore(): Promise<void> {
    const stored = await this.#store.load();
    if (stored === null || this.#held !== null) return;
    this.#held = stored;
    this.#heldJson = JSON.stringify(stored);
    const { incarnation, epoch } = stored;
    this.#log.info({ incarnation, epoch }, 'starting from the stored ring');
    this.#apply(stored);
  }

  async offer(ringJson: string): Promise<Verdict> {
    let offered: RingDocument;
    try {
      offered = parseDocument(ringJson);
    } catch (error) {
      if (!isRingsideError(error)) throw error;
      return { accepted: false, code: 'invalid', message: error.message };
    }
    const held = this.#held;
    const judgement = judgeDocument(held, offered);
    if (judgement === 'older' || judgement === 'conflict') {
      const message = `offered ${versionOf(offered)}, held ${versionOf(held!)}`;
      this.#log.warn({ judgement, message }, 'a ring was refused');
      return { accepted: false, code: judgement, message };
    }
    if (judgement === 'same') {
      this.#confirm();
      return { accepted: true, document: offered };
    }
    this.#held = offered;
    this.#heldJson = ringJson;
    // Applied before it is stored: a failover must not wait for a disk.
    this.#apply(offered);
    await this.#store.save(ringJson);
    this.#log.info({ incarnation: offered.incarnation, epoch: offered.epoch }, 'ring applied');
    return { accepted: true, document: offered };
  }
}

function versionOf({ incarnation, epoch, sha256 }: RingDocument): string {
  return `${incarnation}.${epoch} (${sha256.slice(0, 12)})`;
}
