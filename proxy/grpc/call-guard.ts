import type { ServerInterceptor } from '@grpc/grpc-js';
import { GuardedCall, type GuardOptions } from './guarded-call.ts';

const SWEEPS_PER_TIMEOUT = 4;
/** Probes send no password. */
const OPEN_TO_ALL = '/grpc.health.v1.Health/';

/**
 * Stands before every call: the password, the bytes that requests and answers of all clients may hold, and the time a request may
 * take to arrive.
 */
export class CallGuard {
  readonly #options: GuardOptions;
  readonly #arriving = new Set<GuardedCall>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#refuseLate(), options.timeoutMs / SWEEPS_PER_TIMEOUT);
    this.#sweep.unref();
  }

  /** To be given to the server. */
  readonly interceptor: ServerInterceptor = (method, call) => {
    const isOpen = method.path.startsWith(OPEN_TO_ALL);
    const options = isOpen ? { ...this.#options, isAuthorized: null, rates: null } : this.#options;
    return new GuardedCall(call, method, options, this.#arriving).intercept();
  };

  close(): void {
    clearInterval(this.#sweep);
  }

  #refuseLate(): void {
    const startedBefore = this.#options.clock.monotonicMs() - this.#options.timeoutMs;
    for (const call of this.#arriving) {
      if (call.startedMs > startedBefore) return;
      call.refuseLate();
    }
  }
}
