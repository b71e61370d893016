import { type CommandPart, encodeCommand } from '../../lib/codec/resp/index.ts';
import type { LeaseWish } from '../core/api.ts';
import { Caller, type Reply } from '../core/caller.ts';
import { leaseWords } from '../core/key-value.ts';
import type { Router } from '../core/router.ts';
import { encodeWithValue, lengthOf, valueIn } from '../core/value-frame.ts';
import type { FillOutcome } from './fill.ts';
import { type LeaseReply, leaseReplyOf } from './lease-reply.ts';
import type { Fetched } from './origin.ts';

/** A key of one database. */
export interface Place {
  readonly database: number;
  readonly key: Buffer;
}

/** What a look at a key has shown. */
export interface Look {
  readonly found: LeaseReply;
  /** Null when the value is still to come. */
  readonly outcome: FillOutcome | null;
}

/** A read that says what is known of the key, the value last. `wish` null: it wants no lease. */
export function leaseRead(key: Buffer, wish: LeaseWish | null, withValue = true): Buffer {
  const words = [...leaseWords(wish ?? false), ...(withValue ? [] : ['NOVALUE'])];
  return encodeCommand('RS.GET', key, ...words, 'TAIL');
}

/** The nodes, as those see them who fill keys. Every method rejects with a RingsideError. */
export class KeyLeases {
  readonly #caller: Caller;
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
    this.#caller = new Caller(router);
  }

  /** What there is; without the value when that is not asked for. */
  async read(place: Place, wish: LeaseWish | null, withValue = true): Promise<Look> {
    const frame = { bytes: leaseRead(place.key, wish, withValue), rest: null };
    const reply = await this.#call(place, false, frame, true);
    const found = leaseReplyOf(reply.bytes, reply.start);
    return { found, outcome: outcomeOf(reply, found) };
  }

  /** Puts a value in under a lease. Rejects with `lease_void` when it comes too late. */
  async store(place: Place, token: string, { value, lifetime }: Fetched & { kind: 'value' }): Promise<void> {
    const behind: CommandPart[] = [];
    if (lifetime.ttlMs !== null) behind.push('PX', lifetime.ttlMs);
    if (lifetime.softTtlMs !== null) behind.push('SOFTPX', lifetime.softTtlMs);
    await this.#call(place, true, encodeWithValue(['RS.SET', place.key], value, [...behind, 'LEASE', token]));
  }

  /** Gives a lease back. With `absentMs` above 0 nobody gets one for so long. */
  async forgo(place: Place, token: string, absentMs: number): Promise<void> {
    const behind = absentMs > 0 ? ['ABSENT', absentMs] : [];
    await this.#call(place, true, {
      bytes: encodeCommand('RS.FORGO', place.key, token, ...behind),
      rest: null,
    });
  }

  #call(
    { database, key }: Place,
    isWrite: boolean,
    frame: { bytes: Buffer; rest: readonly Buffer[] | null },
    inPieces = false,
  ): Promise<Reply> {
    const route = this.#router.routeOf(key, 0, key.length);
    return this.#caller.call({ route, isWrite, keyIndex: 1, database }, frame, inPieces);
  }
}

/** Null when the value is still to come. */
function outcomeOf({ bytes, rest }: Reply, { state, valueAt, ttlMs }: LeaseReply): FillOutcome | null {
  if (state === 'absent') return { kind: 'absent' };
  if (state === 'miss') return null;
  const value = valueIn(bytes, valueAt, rest) ?? [];
  return { kind: 'value', value, bytes: lengthOf(value), ttlMs: ttlMs < 0 ? null : ttlMs };
}
