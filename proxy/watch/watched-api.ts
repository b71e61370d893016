import { type Clock, RingsideError } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable } from '../../lib/commands/index.ts';
import type { Access } from '../access/index.ts';
import type {
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
import type { AccessLog } from './access-log.ts';
import { CommandFigures } from './command-figures.ts';
import { subjectOf, Trace } from './trace.ts';

/** Operations by the command that a user must be allowed for them. */
const OPERATIONS = ['get', 'set', 'del', 'mget', 'incrby', 'rs.purge'] as const;
type Operation = (typeof OPERATIONS)[number];

const SPECS = new Map<Operation, CommandSpec>(
  OPERATIONS.map((name) => [name, commandTable.get(name.toUpperCase())!]),
);
/** Clients of HTTP and gRPC are the default user. */
const CLIENT = { address: '', name: '', userName: 'default' };

/** What the operations of one listener are watched with. */
export interface ApiWatchParts {
  readonly listener: string;
  readonly clock: Clock;
  readonly access: Access;
  readonly accessLog: AccessLog | null;
}

/**
 * The data path as one listener may use it: what the default user is not allowed is refused (`forbidden`), and every operation is counted, with how
 * long it took.
 */
export class WatchedApi implements KeyValueApi {
  readonly figures: CommandFigures;
  readonly #api: KeyValueApi;
  readonly #parts: ApiWatchParts;
  #gap: number;

  constructor(api: KeyValueApi, parts: ApiWatchParts) {
    this.#api = api;
    this.#parts = parts;
    this.figures = new CommandFigures(parts.listener, OPERATIONS);
    this.#gap = parts.accessLog?.nextGap() ?? Number.POSITIVE_INFINITY;
  }

  get(key: Buffer, options?: ReadOptions): Promise<ReadResult> {
    return this.#run('get', [key], key.length, () => this.#api.get(key, options));
  }

  set(key: Buffer, value: Pieces, options?: SetOptions): Promise<SetResult> {
    const bytes = value.reduce((sum, { length }) => sum + length, key.length);
    return this.#run('set', [key, ''], bytes, () => this.#api.set(key, value, options));
  }

  delete(key: Buffer, conditions?: WriteConditions): Promise<boolean> {
    return this.#run('del', [key], key.length, () => this.#api.delete(key, conditions));
  }

  async mget(keys: readonly Buffer[]): Promise<MgetResult[]> {
    const refusals = keys.map((key) => this.#refusal('mget', [key]));
    const allowed = keys.filter((_, i) => refusals[i] === null);
    const bytes = keys.reduce((sum, { length }) => sum + length, 0);
    const found = await this.#measured('mget', keys.slice(0, 1), bytes, () => this.#api.mget(allowed));
    if (allowed.length === keys.length) return found;
    let at = 0;
    return refusals.map((error) => (error === null ? found[at++] : { error }));
  }

  incr(key: Buffer, by: bigint, conditions?: WriteConditions): Promise<IncrResult> {
    return this.#run('incrby', [key, '0'], key.length, () => this.#api.incr(key, by, conditions));
  }

  purge(what: Purge): Promise<void> {
    return this.#run('rs.purge', [...what.keys], 0, () => this.#api.purge(what));
  }

  #run<T>(
    operation: Operation,
    args: readonly (Buffer | string)[],
    inputBytes: number,
    run: () => Promise<T>,
  ): Promise<T> {
    const refusal = this.#refusal(operation, args);
    return refusal === null ? this.#measured(operation, args, inputBytes, run) : Promise.reject(refusal);
  }

  /** Why the default user may not do this; null: it may. */
  #refusal(operation: Operation, args: readonly (Buffer | string)[]): RingsideError | null {
    const user = this.#parts.access.users.default;
    if (user.isUnlimited) return null;
    const denial = user.denies(SPECS.get(operation)!, argsOf(operation, ...args));
    if (denial === null) return null;
    const what = denial.kind === 'command' ? `run ${operation}` : `use this ${denial.kind}`;
    return new RingsideError('forbidden', `the user default may not ${what}`);
  }

  async #measured<T>(
    operation: Operation,
    args: readonly (Buffer | string)[],
    inputBytes: number,
    run: () => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#parts;
    const id = OPERATIONS.indexOf(operation);
    const startedMs = clock.monotonicMs();
    let result = 'ok';
    try {
      return await run();
    } catch (error) {
      result = error instanceof RingsideError ? error.code : 'internal';
      throw error;
    } finally {
      const endedMs = clock.monotonicMs();
      const durationMs = endedMs - startedMs;
      this.figures.ended(id, startedMs, endedMs, result !== 'ok');
      this.#log(operation, args, inputBytes, durationMs, result);
    }
  }

  #log(
    operation: Operation,
    args: readonly (Buffer | string)[],
    inputBytes: number,
    durationMs: number,
    result: string,
  ): void {
    const { accessLog, listener } = this.#parts;
    if (accessLog === null) return;
    const isDue = this.#gap-- <= 0;
    if (isDue) this.#gap = accessLog.nextGap();
    const isSampled = isDue && accessLog.samples;
    if (!isSampled && durationMs < accessLog.slowerThanMs) return;
    const subject = subjectOf(SPECS.get(operation)!, argsOf(operation, ...args));
    const trace = new Trace(subject, CLIENT, inputBytes, isSampled);
    accessLog.write(trace, {
      listener,
      durationMs,
      outputBytes: null,
      result,
      isPossiblyStale: false,
      retries: 0,
    });
  }
}
