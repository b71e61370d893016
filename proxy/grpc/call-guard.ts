import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { type Clock, RingsideError } from '../../lib/base/index.ts';
import type { ByteBudget } from '../listener/index.ts';
import { statusOf } from './status.ts';

const SWEEPS_PER_TIMEOUT = 4;
const MIN_COUNTED_BYTES = 4096;
/** Probes send no password. */
const OPEN_TO_ALL = '/grpc.health.v1.Health/';

/** What a guard holds calls to. */
export interface GuardOptions {
  readonly budget: ByteBudget;
  /** Milliseconds for a whole request to arrive, and for a client to read a part of its answer. */
  readonly timeoutMs: number;
  readonly isAuthorized: ((authorization: string | undefined) => boolean) | null;
  readonly clock: Clock;
}

/**
 * Stands before every unary call: the password, the bytes that requests and answers of all clients may hold, and the time a
 * request may take to arrive.
 *
 * grpc-js gives an interceptor the whole message only, when it is in memory already; so the guard listens to the HTTP/2 stream,
 * which is not part of its public interface. A test of the budget would notice a change.
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
    const isUnary = !method.requestStream && !method.responseStream;
    const isAuthorized = method.path.startsWith(OPEN_TO_ALL) ? null : this.#options.isAuthorized;
    const guarded = new GuardedCall(call, { ...this.#options, isAuthorized }, this.#arriving);
    return isUnary ? guarded.intercept() : guarded.interceptStream();
  };

  close(): void {
    clearInterval(this.#sweep);
  }

  #refuseLate(): void {
    const startedBefore = this.#options.clock.monotonicMs() - this.#options.timeoutMs;
    // In the order they began.
    for (const call of this.#arriving) {
      if (call.startedMs > startedBefore) return;
      call.refuseLate();
    }
  }
}

type PrivateParts = { readonly stream: ServerHttp2Stream; readonly incomingEncoding: string };

class GuardedCall {
  readonly startedMs: number;
  readonly #call: ServerInterceptingCallInterface;
  readonly #options: GuardOptions;
  readonly #arriving: Set<GuardedCall>;
  readonly #stream: ServerHttp2Stream;
  #held = 0;
  #isOver = false;

  constructor(call: ServerInterceptingCallInterface, options: GuardOptions, arriving: Set<GuardedCall>) {
    this.#call = call;
    this.#options = options;
    this.#arriving = arriving;
    this.#stream = (call as unknown as PrivateParts).stream;
    this.startedMs = options.clock.monotonicMs();
  }

  intercept(): ServerInterceptingCall {
    this.#arriving.add(this);
    this.#stream.on('data', (chunk: Buffer) => this.#received(chunk.length));
    this.#stream.once('close', () => this.#closed());
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => this.#admit(metadata, next))
      .withOnReceiveHalfClose((next) => {
        this.#arriving.delete(this);
        next();
      })
      .withOnCancel(() => {
        this.#isOver = true;
      })
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMessage((message, next) => this.#sending(message, next))
      .build();
    return new ServerInterceptingCall(this.#call, responder);
  }

  /** Streams (reflection, health) are small: only the password is asked for. */
  interceptStream(): ServerInterceptingCall {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => this.#admit(metadata, next))
      .build();
    return new ServerInterceptingCall(
      this.#call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  }

  refuseLate(): void {
    this.#arriving.delete(this);
    this.#refuse(
      new RingsideError('timeout', `the request did not arrive within ${this.#options.timeoutMs} ms`),
    );
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #admit(metadata: Metadata, next: (metadata: Metadata) => void): void {
    const error = this.#objection(String(metadata.get('authorization')[0] ?? ''));
    if (error) this.#refuse(error);
    else next(metadata);
  }

  #objection(authorization: string): RingsideError | null {
    const { isAuthorized } = this.#options;
    if (isAuthorized && !isAuthorized(authorization)) {
      return new RingsideError('unauthorized', 'metadata `authorization: Bearer PASSWORD` is required');
    }
    // A few bytes could unfold to the largest message.
    if ((this.#call as unknown as PrivateParts).incomingEncoding !== 'identity') {
      return new RingsideError('not_implemented', 'compressed requests are not accepted');
    }
    return null;
  }

  #received(bytes: number): void {
    if (this.#isOver) return;
    if (this.#options.budget.take(bytes)) this.#held += bytes;
    else this.#refuse(this.#options.budget.exceeded());
  }

  #sending(message: unknown, next: (message: unknown) => void): void {
    const { budget, timeoutMs } = this.#options;
    const bytes = payloadBytes(message as Payload);
    if (bytes < MIN_COUNTED_BYTES) {
      next(message);
    } else if (budget.take(bytes)) {
      this.#held += bytes;
      this.#stream.setTimeout(timeoutMs, () => this.#stream.close(constants.NGHTTP2_CANCEL));
      next(message);
    } else {
      this.#refuse(budget.exceeded());
    }
  }

  #refuse(error: RingsideError): void {
    this.#isOver = true;
    this.#release();
    this.#call.sendStatus(statusOf(error));
  }

  #closed(): void {
    this.#isOver = true;
    this.#arriving.delete(this);
    this.#release();
  }

  #release(): void {
    this.#options.budget.give(this.#held);
    this.#held = 0;
  }
}

type Payload = { value?: Buffer | string; results?: readonly { value: Buffer }[] };

function payloadBytes({ value, results = [] }: Payload): number {
  return results.reduce((sum, result) => sum + result.value.length, value?.length ?? 0);
}
