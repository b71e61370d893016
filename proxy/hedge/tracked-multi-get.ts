import type { Request } from '../core/request.ts';
import type { KeyUses } from './key-uses.ts';
import { MultiGetKeys } from './multi-get-keys.ts';
import { TrackedRead } from './tracked-read.ts';

const keys = new MultiGetKeys();

/** A multi-get, or what one shard is asked for of it. */
export class TrackedMultiGet extends TrackedRead {
  readonly #sentMs: number;
  /** Of each key, as this client uses it. */
  readonly #own: readonly number[];
  /** As clients do that are not told from others; null while nobody has asked. */
  #common: readonly number[] | null;

  /** `sentMs`: now, which for a part that waited for one before it is later than when its command came. `client`: as for `KeyUses.hashOf`. */
  constructor(request: Request, stalenessMs: number, sentMs: number, own: readonly number[], client: number) {
    super(request, stalenessMs);
    this.#sentMs = sentMs;
    this.#own = own;
    this.#common = client === 0 ? [] : null;
  }

  override get isMultiGet(): boolean {
    return true;
  }

  override get sinceMs(): number {
    return Math.max(this.#sentMs, super.sinceMs);
  }

  isUntouched(uses: KeyUses, moment: number): boolean {
    this.#common ??= this.#commonHashes(uses);
    return uses.areUntouched(this.#own, this.#common, moment);
  }

  begin(uses: KeyUses): void {
    for (const hash of this.#own) uses.add(hash);
  }

  protected leave(uses: KeyUses): void {
    for (const hash of this.#own) uses.leave(hash);
  }

  #commonHashes(uses: KeyUses): number[] {
    const { bytes, start } = this.request;
    const hashes: number[] = [];
    keys.recognize(bytes, start);
    while (keys.next()) hashes.push(uses.hashOf(bytes, keys.start, keys.end, 0));
    return hashes;
  }
}
