import type { CommandPart } from '../../lib/codec/resp/index.ts';
import type { Keyspace } from '../keyspace.ts';
import { dumpEntry } from '../values/serialize.ts';
import { isError, type Target } from './target.ts';

/** Keys that go in one round, as far as their values take no more than that. */
const ROUND_KEYS = 64;
const ROUND_BYTES = 1 << 20;
/** How often a key that is written while it is on its way goes again. */
const MOST_ROUNDS = 16;

/** What is to be moved, and how. */
export interface MigrationRequest {
  readonly keyspace: Keyspace;
  readonly keys: readonly Buffer[];
  /** Keys stay here as well. */
  readonly copies: boolean;
  /** What is at the target gives way. */
  readonly replaces: boolean;
}

/** An entry as it was sent. */
interface Sent {
  readonly key: Buffer;
  readonly versionHigh: number;
  readonly versionLow: number;
  readonly expiresAt: number;
  /** The entry had gone since the round before. */
  readonly isGone: boolean;
}

/** Removes entries here, as one change. Returns why that must not be, or null. */
export type RemoveHere = (keys: readonly Buffer[]) => string | null;

/**
 * Moves keys to another server. Nothing waits for it: entries may change while they are on their way, and such a one goes again, so that
 * what is removed here in the end is what the target has. Entries are read when their round begins; so are their times to live.
 */
export class Migration {
  readonly #request: MigrationRequest;
  readonly #target: Target;
  readonly #remove: RemoveHere;
  /** Sets the time of the data set: what has expired is not sent. */
  readonly #tick: () => void;
  #problem: string | null = null;

  constructor(request: MigrationRequest, target: Target, deps: { remove: RemoveHere; tick: () => void }) {
    this.#request = request;
    this.#target = target;
    this.#remove = deps.remove;
    this.#tick = deps.tick;
  }

  /** Resolves with the text of an error, or null. Rejects with TargetError. */
  async run(): Promise<string | null> {
    const { keys } = this.#request;
    for (let at = 0; at < keys.length; ) at += await this.#moveSome(keys.slice(at, at + ROUND_KEYS));
    return this.#problem;
  }

  /** Moves the first of the keys; returns how many of them are done. */
  async #moveSome(keys: readonly Buffer[]): Promise<number> {
    const { copies, replaces } = this.#request;
    let [pending, taken] = [keys, 0];
    for (let round = 0; pending.length > 0; round++) {
      if (round === MOST_ROUNDS) {
        this.#problem ??= 'ERR The key changes faster than it can be moved; it is at the target and here';
        break;
      }
      const { commands, sent, count } = this.#round(pending, round > 0 || replaces, round > 0);
      if (round === 0) taken = count;
      if (commands.length === 0) break;
      const replies = await this.#target.send(commands);
      const moved = sent.filter((_, i) => !this.#refused(replies[i]));
      const rest = pending.slice(count);
      pending = copies ? [] : this.#removeMoved(moved);
      if (round > 0) pending = [...pending, ...rest];
    }
    return taken;
  }

  #refused(reply: string): boolean {
    if (!isError(reply)) return false;
    this.#problem ??= `ERR Target instance replied with error: ${reply.slice(1)}`;
    return true;
  }

  #round(keys: readonly Buffer[], replaces: boolean, isAgain: boolean) {
    const commands: CommandPart[][] = [];
    const sent: Sent[] = [];
    let [bytes, count] = [0, 0];
    this.#tick();
    for (const key of keys) {
      if (bytes >= ROUND_BYTES) break;
      count++;
      const entry = this.#entryOf(key);
      if (entry === null && !isAgain) continue;
      commands.push(entry === null ? ['DEL', key] : entry.restore(replaces));
      sent.push({ key, versionHigh: 0, versionLow: 0, expiresAt: 0, isGone: entry === null, ...entry?.sent });
      bytes += entry?.bytes ?? 0;
    }
    return { commands, sent, count };
  }

  #entryOf(key: Buffer) {
    const { keyspace } = this.#request;
    const slot = keyspace.find(key, 0, key.length);
    if (slot === 0) return null;
    const { store, nowMs } = keyspace;
    const expiresAt = store.expiresAt(slot);
    const ttlMs = expiresAt === 0 ? 0 : Math.max(1, expiresAt - nowMs);
    const sent = { versionHigh: store.versionHigh(slot), versionLow: store.versionLow(slot), expiresAt };
    const payload = dumpEntry(keyspace, slot, { compresses: true });
    const restore = (replaces: boolean): CommandPart[] => [
      'RESTORE',
      key,
      ttlMs,
      payload,
      ...(replaces ? ['REPLACE'] : []),
    ];
    return { sent, bytes: payload.length, restore };
  }

  /** Removes what is still as it was sent; returns the keys that are not. */
  #removeMoved(moved: readonly Sent[]): Buffer[] {
    this.#tick();
    const changed: Buffer[] = [];
    const unchanged: Buffer[] = [];
    for (const entry of moved) {
      const state = this.#stateOf(entry);
      if (state === 'changed') changed.push(entry.key);
      else if (state === 'the same') unchanged.push(entry.key);
    }
    const refusal = unchanged.length > 0 ? this.#remove(unchanged) : null;
    if (refusal === null) return changed;
    this.#problem ??= refusal;
    return [];
  }

  #stateOf({
    key,
    versionHigh,
    versionLow,
    expiresAt,
    isGone,
  }: Sent): 'the same' | 'changed' | 'gone for good' {
    const { keyspace } = this.#request;
    const slot = keyspace.find(key, 0, key.length);
    if (slot === 0) return isGone ? 'gone for good' : 'changed';
    const { store } = keyspace;
    const isSame =
      !isGone &&
      store.versionHigh(slot) === versionHigh &&
      store.versionLow(slot) === versionLow &&
      store.expiresAt(slot) === expiresAt;
    return isSame ? 'the same' : 'changed';
  }
}
