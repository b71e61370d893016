import type { Random } from '../../lib/base/index.ts';
import type { ShadowConfig } from '../../lib/config/index.ts';
import { murmur3x86_32 } from '../../lib/ring/index.ts';
import type { NamespaceMatcher } from '../core/namespace-rules.ts';

/** Any number that the ring does not hash with, so that the keys picked are of all shards. */
const SEED = 0x5bd1e995;
const TWO_32 = 2 ** 32;

/** Decides which commands are shadowed. */
export class Share {
  readonly #byKey: boolean;
  readonly #random: Random;
  readonly #namespaces: NamespaceMatcher;
  /** By number of the namespace; null: all have the same. */
  readonly #shares: Float64Array | null;
  readonly #share: number;

  constructor(
    { share, by, namespaces }: Pick<ShadowConfig, 'share' | 'by' | 'namespaces'>,
    matcher: NamespaceMatcher,
    random: Random,
  ) {
    this.#byKey = by === 'key';
    this.#random = random;
    this.#namespaces = matcher;
    this.#share = share;
    const own = new Map(namespaces.map((one) => [one.name, one.share]));
    this.#shares =
      own.size === 0
        ? null
        : Float64Array.from(matcher.all, ({ name, config }) =>
            config === null ? share : (own.get(name) ?? share),
          );
  }

  /** Whether a command about the key `buffer[start, end)` is among them. */
  picks(buffer: Buffer, start: number, end: number): boolean {
    const share =
      this.#shares === null ? this.#share : this.#shares[this.#namespaces.rulesOf(buffer, start, end).index];
    if (share === 0) return false;
    const dice = this.#byKey ? (murmur3x86_32(buffer, start, end, SEED) >>> 0) / TWO_32 : this.#random.next();
    return dice < share;
  }
}
