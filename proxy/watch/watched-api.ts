import { type Clock, RingsideError } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable } from '../../lib/commands/index.ts';
import { abridged } from '../../lib/metrics/index.ts';
import type { Access } from '../access/index.ts';
import type { BoundedApi, CallApi, CallScope, KeyValueApi } from '../core/api.ts';
import { CommandFigures } from './command-figures.ts';
import { PieceArgs } from './piece-args.ts';
import type { ProxyWatch } from './proxy-watch.ts';
import { Trace } from './trace.ts';
import {
  OPERATIONS,
  type Operation,
  type OperationWatch,
  WatchedCall,
  type WatchedOperation,
} from './watched-call.ts';

const SPECS = new Map<Operation, CommandSpec>(
  OPERATIONS.map((name) => [name, commandTable.get(name.toUpperCase())!]),
);

/** What the operations of one listener are watched with. */
export interface ApiWatchParts {
  readonly listener: string;
  readonly clock: Clock;
  readonly access: Access;
  readonly watch: ProxyWatch;
}

/**
 * The data path as one listener may use it: what the default user is not allowed is refused (`forbidden`), and every operation is counted, with how
 * long it took; slow ones are noted in the slow log, the latency monitor and the access log, as commands are.
 */
export class WatchedApi implements CallApi, OperationWatch {
  readonly figures: CommandFigures;
  readonly #api: BoundedApi;
  readonly #parts: ApiWatchParts;
  /** Operations until the next one for the access log. */
  #gap: number;

  constructor(api: BoundedApi, parts: ApiWatchParts) {
    const { listener, watch } = parts;
    this.#api = api;
    this.#parts = parts;
    const rules = { isTimed: () => true, took: (ms: number) => watch.took(ms) };
    this.figures = new CommandFigures(listener, OPERATIONS, rules);
    this.#gap = watch.accessLog?.nextGap() ?? Number.POSITIVE_INFINITY;
  }

  within(scope: CallScope): KeyValueApi {
    const { deadlineMs } = scope;
    const api = deadlineMs === Number.POSITIVE_INFINITY ? this.#api : this.#api.until(deadlineMs);
    return new WatchedCall(this, api, scope);
  }

  refusal(operation: Operation, ...args: readonly (Buffer | string)[]): RingsideError | null {
    const user = this.#parts.access.users.default;
    if (user.isUnlimited) return null;
    const denial = user.denies(SPECS.get(operation)!, argsOf(operation, ...args));
    if (denial === null) return null;
    const what = denial.kind === 'command' ? `run ${operation}` : `use this ${denial.kind}`;
    return new RingsideError('forbidden', `the user default may not ${what}`);
  }

  async measured<T>(watched: WatchedOperation, run: () => Promise<T>): Promise<T> {
    const { clock, watch } = this.#parts;
    const startedMs = clock.monotonicMs();
    let result = 'ok';
    try {
      return await run();
    } catch (error) {
      result = error instanceof RingsideError ? error.code : 'internal';
      throw error;
    } finally {
      const endedMs = clock.monotonicMs();
      this.figures.ended(OPERATIONS.indexOf(watched.operation), startedMs, endedMs, result !== 'ok');
      const isSampled = this.#gap-- <= 0 && this.#isPicked();
      const durationMs = endedMs - startedMs;
      if (isSampled || durationMs >= watch.slowMs) this.#tell(watched, isSampled, durationMs, result);
    }
  }

  /** It is the turn of the next one for the access log; whether there is to be one at all. */
  #isPicked(): boolean {
    const { accessLog } = this.#parts.watch;
    if (accessLog === null) return false;
    this.#gap = accessLog.nextGap();
    return accessLog.samples;
  }

  #tell(watched: WatchedOperation, isSampled: boolean, durationMs: number, result: string): void {
    const { operation, scope, key, inputBytes } = watched;
    const { watch, listener } = this.#parts;
    const args = new PieceArgs([operation.toUpperCase(), ...watched.words()]);
    const subject = { command: operation, args: abridged(args, () => false), key };
    // Clients of HTTP and gRPC are the default user, and have no names.
    const client = { address: scope.address, name: '', userName: 'default' };
    const trace = new Trace(subject, client, inputBytes, isSampled);
    watch.noteSlow(trace, durationMs);
    const { accessLog } = watch;
    if (accessLog === null || !(isSampled || durationMs >= accessLog.slowerThanMs)) return;
    const notKnown = { outputBytes: null, isPossiblyStale: false, retries: 0 };
    accessLog.write(trace, { listener, durationMs, result, ...notKnown });
  }
}
