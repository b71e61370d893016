import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { type Clock, RingsideError } from '../../lib/base/index.ts';
import { firstNameOf } from '../../lib/net/index.ts';
import { identityOf, type RateGuard } from '../health/index.ts';
import type { ByteBudget } from '../listener/index.ts';
import { statusOf } from './status.ts';

const MIN_COUNTED_BYTES = 4096;
/** About what a question of a stream costs while it waits. */
const QUESTION_BYTES = 512;

/** What a guard holds calls to. */
export interface GuardOptions {
  readonly budget: ByteBudget;
  /** Milliseconds for a whole request to arrive, and for a client to read a part of its answer. */
  readonly timeoutMs: number;
  readonly isAuthorized: ((authorization: string | undefined) => boolean) | null;
  readonly clock: Clock;
  /** What clients are held to; null: nothing. */
  readonly rates: RateGuard | null;
}

/** Whether a call is more than one message in, one message out. */
export interface CallShape {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/**
 * One call under guard.
 *
 * grpc-js gives an interceptor the whole message only, when it is in memory already; so this listens to the HTTP/2 stream, which is
 * not part of grpc-js's public interface. A test of the budget would notice a change.
 */
export class GuardedCall {
  /** When the request that is arriving began (a stream: when it last moved); the set of arriving calls is in this order. */
  startedMs = 0;
  readonly #call: ServerInterceptingCallInterface;
  readonly #shape: CallShape;
  readonly #options: GuardOptions;
  readonly #arriving: Set<GuardedCall>;
  readonly #stream: ServerHttp2Stream;
  #heldIn = 0;
  #unanswered = 0;
  #heldOut = 0;
  #isOver = false;

  /** `arriving` holds the calls whose request is on its way; the owner refuses those that take too long. */
  constructor(
    call: ServerInterceptingCallInterface,
    shape: CallShape,
    options: GuardOptions,
    arriving: Set<GuardedCall>,
  ) {
    this.#call = call;
    this.#shape = shape;
    this.#options = options;
    this.#arriving = arriving;
    this.#stream = (call as unknown as PrivateParts).stream;
  }

  intercept(): ServerInterceptingCall {
    const { requestStream, responseStream } = this.#shape;
    if (!requestStream) this.#begin();
    this.#stream.on('data', (chunk: Buffer) => this.#received(chunk.length));
    this.#stream.once('close', () => this.#end());
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => this.#admit(metadata, next))
      .withOnReceiveMessage((message, next) => {
        if (requestStream) this.#asked();
        next(message);
      })
      .withOnReceiveHalfClose((next) => {
        if (!requestStream) this.#arriving.delete(this);
        next();
      })
      .withOnCancel(() => {
        this.#isOver = true;
      })
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMessage((message, next) => {
        if (requestStream) this.#answered();
        if (responseStream) next(message);
        else this.#sendAnswer(message, next);
      })
      .build();
    return new ServerInterceptingCall(this.#call, responder);
  }

  refuseLate(): void {
    const message = `the request did not arrive within ${this.#options.timeoutMs} ms`;
    this.#refuse(new RingsideError('timeout', message));
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #begin(): void {
    this.startedMs = this.#options.clock.monotonicMs();
    this.#arriving.add(this);
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
    const { rates, clock } = this.#options;
    const refusal = rates?.refuseClient(this.#identity(), clock.monotonicMs());
    if (refusal) return new RingsideError('rate_limited', refusal);
    // A few bytes could unfold to the largest message.
    if ((this.#call as unknown as PrivateParts).incomingEncoding !== 'identity') {
      return new RingsideError('not_implemented', 'compressed requests are not accepted');
    }
    return null;
  }

  #identity(): string {
    const { sslPeerCertificate: certificate } = this.#call.getAuthContext();
    return identityOf(null, certificate ? firstNameOf(certificate) : null, this.#call.getPeer());
  }

  #received(bytes: number): void {
    if (this.#isOver) return;
    if (!this.#options.budget.take(bytes)) {
      this.#refuse(this.#options.budget.exceeded());
      return;
    }
    if (this.#shape.requestStream && this.#heldIn === 0) this.#begin();
    this.#heldIn += bytes;
  }

  #sendAnswer(message: unknown, next: (message: unknown) => void): void {
    const { budget, timeoutMs } = this.#options;
    const bytes = payloadBytes(message as Payload);
    if (bytes < MIN_COUNTED_BYTES) {
      next(message);
    } else if (budget.take(bytes)) {
      this.#heldOut += bytes;
      this.#stream.setTimeout(timeoutMs, () => this.#stream.close(constants.NGHTTP2_CANCEL));
      next(message);
    } else {
      this.#refuse(budget.exceeded());
    }
  }

  /** A stream's questions are held until they are answered: grpc-js lets answers pile up before a client that does not read. */
  #asked(): void {
    this.#unanswered++;
    this.#received(QUESTION_BYTES);
  }

  #answered(): void {
    this.#unanswered--;
    this.#arriving.delete(this);
    if (this.#unanswered > 0) this.#begin();
    else this.#releaseRequest();
  }

  #refuse(error: RingsideError): void {
    this.#isOver = true;
    this.#releaseRequest();
    this.#call.sendStatus(statusOf(error));
    // Its status would wait behind answers that nobody reads.
    if (this.#unanswered > 0) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #releaseRequest(): void {
    this.#arriving.delete(this);
    this.#options.budget.give(this.#heldIn);
    this.#heldIn = 0;
  }

  #end(): void {
    this.#isOver = true;
    this.#releaseRequest();
    this.#options.budget.give(this.#heldOut);
    this.#heldOut = 0;
  }
}

type PrivateParts = { readonly stream: ServerHttp2Stream; readonly incomingEncoding: string };

type Payload = { value?: Buffer | string; results?: readonly { value: Buffer }[] };

function payloadBytes({ value, results = [] }: Payload): number {
  return results.reduce((sum, result) => sum + result.value.length, value?.length ?? 0);
}
