import { type CommandPart, encodeCommand, replyNumber } from '../../lib/codec/resp/index.ts';
import { Caller, type Reply } from '../core/caller.ts';
import type { Place } from '../core/other-cluster.ts';
import type { Router } from '../core/router.ts';
import { encodeWithValue, type Frame, valueIn } from '../core/value-frame.ts';
import { leaseReplyOf } from '../fill/index.ts';
import type { OldValue } from './old-value.ts';

const BULK = 0x24;

/** What the new cluster says of a key that it did not have a moment ago. */
export interface ColdLook {
  /** It was deleted, and nobody is to look for a value. */
  readonly isAbsent: boolean;
  /** Of the lease to put a value in; null: none was wanted, or somebody else has it, or the engine has none. */
  readonly token: string | null;
}

const NOTHING_KNOWN: ColdLook = { isAbsent: false, token: null };

/** The clients' own cluster, as the warm-up sees it, which puts values in. Every method rejects with a RingsideError. */
export class ColdCluster {
  readonly #router: Router;
  readonly #caller: Caller;
  readonly #leaseMs: number;
  /** The command of these that is being sent now; null: none is. */
  asking: Buffer | null = null;

  constructor(router: Router, leaseMs: number) {
    this.#router = router;
    this.#caller = new Caller(router);
    this.#leaseMs = leaseMs;
  }

  /** Whether the shard of the key hands out leases. */
  hasLeases(key: Buffer): boolean {
    return this.#router.routeOf(key, 0, key.length).engine === 'ringside';
  }

  /** Looks at the key, and takes the lease to fill it. */
  async look(place: Place, wantsLease: boolean): Promise<ColdLook> {
    const { key } = place;
    if (!this.hasLeases(key)) return NOTHING_KNOWN;
    const lease = wantsLease ? ['LEASE', this.#leaseMs] : [];
    const { bytes, start } = await this.#ask(place, ['RS.GET', key, ...lease, 'NOVALUE', 'TAIL'], false);
    const { state, token } = leaseReplyOf(bytes, start);
    return { isAbsent: state === 'absent', token };
  }

  /**
   * Puts a value in that was read `ageMs` ago. With a lease it gets in only if nobody has written or deleted the key since that was taken (else
   * `lease_void`); without, only if the key is not there. False: it was, or the value's time is over.
   */
  async add(place: Place, old: OldValue, token: string | null, ageMs: number): Promise<boolean> {
    const { key } = place;
    const ttlMs = old.ttlMs < 0 ? -1 : Math.floor(old.ttlMs - ageMs);
    if (old.ttlMs >= 0 && ttlMs <= 0) {
      if (token !== null) await this.forgo(place, token);
      return false;
    }
    const value = valueIn(old.head, 0, old.rest) ?? [];
    const behind: CommandPart[] = ttlMs < 0 ? [] : ['PX', ttlMs];
    if (token === null) {
      const { bytes, start } = await this.#write(
        place,
        encodeWithValue(['SET', key], value, [...behind, 'NX']),
      );
      return bytes[start] !== BULK;
    }
    if (old.softTtlMs >= 0) behind.push('SOFTPX', Math.max(1, Math.floor(old.softTtlMs - ageMs)));
    if (old.flags !== 0) behind.push('FLAGS', old.flags);
    await this.#write(place, encodeWithValue(['RS.SET', key], value, [...behind, 'LEASE', token]));
    return true;
  }

  /** Gives a lease back. */
  async forgo(place: Place, token: string): Promise<void> {
    await this.#ask(place, ['RS.FORGO', place.key, token], true);
  }

  async exists(place: Place): Promise<boolean> {
    const { bytes, start } = await this.#ask(place, ['EXISTS', place.key], false);
    return replyNumber(bytes, start) > 0;
  }

  /** Puts what DUMP has written in, unless the key is there. `ttlMs` 0: for ever. */
  async restore(place: Place, payload: Buffer, ttlMs: number): Promise<void> {
    await this.#ask(place, ['RESTORE', place.key, ttlMs, payload], true);
  }

  #ask(place: Place, words: readonly CommandPart[], isWrite: boolean): Promise<Reply> {
    return this.#call(place, { bytes: encodeCommand(...words), rest: null }, isWrite);
  }

  #write(place: Place, frame: Frame): Promise<Reply> {
    return this.#call(place, frame, true);
  }

  #call({ database, key }: Place, frame: Frame, isWrite: boolean): Promise<Reply> {
    const route = this.#router.routeOf(key, 0, key.length);
    this.asking = frame.bytes;
    try {
      return this.#caller.call({ route, isWrite, keyIndex: 1, database }, frame);
    } finally {
      this.asking = null;
    }
  }
}
