import type { RingsideError } from '../../lib/base/index.ts';
import type {
  CallScope,
  IncrResult,
  KeyValueApi,
  MgetResult,
  Pieces,
  Purge,
  ReadOptions,
  ReadResult,
  SetOptions,
  SetResult,
  WriteConditions,
} from '../core/api.ts';
import { mgetAllowed } from '../core/mget-allowed.ts';

/** Operations by the command that a user must be allowed for them. */
export const OPERATIONS = ['get', 'set', 'del', 'mget', 'incrby', 'rs.purge'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What stands behind the name of a command: texts, bytes, and values in pieces. */
export type Words = readonly (string | Buffer | Pieces)[];

/** One operation as it is watched. */
export interface WatchedOperation {
  readonly operation: Operation;
  readonly scope: CallScope;
  /** Its first key; null without one. */
  readonly key: Buffer | null;
  readonly inputBytes: number;
  /** The command that it is like; called when somebody wants to hear of it. */
  words(): Words;
}

/** Whoever lets operations pass, and takes note of them. */
export interface OperationWatch {
  /** Why the default user may not do this; null: it may. */
  refusal(operation: Operation, ...args: readonly (Buffer | string)[]): RingsideError | null;
  /** Runs an operation. */
  measured<T>(watched: WatchedOperation, run: () => Promise<T>): Promise<T>;
}

/** The operations of one call, watched together with all others of its listener. */
export class WatchedCall implements KeyValueApi {
  readonly #watch: OperationWatch;
  readonly #api: KeyValueApi;
  readonly #scope: CallScope;

  constructor(watch: OperationWatch, api: KeyValueApi, scope: CallScope) {
    this.#watch = watch;
    this.#api = api;
    this.#scope = scope;
  }

  async get(key: Buffer, options?: ReadOptions): Promise<ReadResult> {
    this.#check('get', key);
    const watched = this.#onKey('get', key, key.length, () => [key]);
    return this.#watch.measured(watched, () => this.#api.get(key, options));
  }

  async set(key: Buffer, value: Pieces, options?: SetOptions): Promise<SetResult> {
    this.#check('set', key, '');
    const watched = this.#onKey('set', key, bytesOf([key, ...value]), () => [key, value]);
    return this.#watch.measured(watched, () => this.#api.set(key, value, options));
  }

  async delete(key: Buffer, conditions?: WriteConditions): Promise<boolean> {
    this.#check('del', key);
    const watched = this.#onKey('del', key, key.length, () => [key]);
    return this.#watch.measured(watched, () => this.#api.delete(key, conditions));
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    const watched = this.#onKey('mget', keys[0] ?? null, bytesOf(keys), () => keys);
    return mgetAllowed(
      keys,
      (key) => this.#watch.refusal('mget', key),
      (allowed) => this.#watch.measured(watched, () => this.#api.mget(allowed)),
    );
  }

  async incr(key: Buffer, by: bigint, conditions?: WriteConditions): Promise<IncrResult> {
    this.#check('incrby', key, '0');
    const watched = this.#onKey('incrby', key, key.length, () => [key, String(by)]);
    return this.#watch.measured(watched, () => this.#api.incr(key, by, conditions));
  }

  async purge(what: Purge): Promise<void> {
    this.#check('rs.purge', ...what.keys);
    const watched = this.#onKey('rs.purge', what.keys[0] ?? null, 0, () => purgeWords(what));
    return this.#watch.measured(watched, () => this.#api.purge(what));
  }

  #check(operation: Operation, ...args: readonly (Buffer | string)[]): void {
    const refusal = this.#watch.refusal(operation, ...args);
    if (refusal !== null) throw refusal;
  }

  #onKey(operation: Operation, key: Buffer | null, inputBytes: number, words: () => Words): WatchedOperation {
    return { operation, scope: this.#scope, key, inputBytes, words };
  }
}

function bytesOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0);
}

/** One list behind the other, as if RS.PURGE took several at once. */
function purgeWords({ keys, tags, prefixes }: Purge): Words {
  const lists = [
    ['KEY', keys],
    ['TAG', tags],
    ['PREFIX', prefixes],
  ] as const;
  return lists.flatMap(([name, list]) => (list.length > 0 ? [name, ...list] : []));
}
