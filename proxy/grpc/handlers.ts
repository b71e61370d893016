import type {
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock, Logger } from '../../lib/base/index.ts';
import type { CallApi } from '../core/api.ts';
import { type AnswerCounter, asRingsideError } from '../listener/index.ts';
import { CacheService, later } from './cache-service.ts';
import { type AnyCall, scopeOf } from './call-scope.ts';
import { statusOf } from './status.ts';

/** What every call works with. */
export interface CallContext {
  readonly log: Logger;
  readonly clock: Clock;
  /** Counts by Ringside's code, `ok` without an error. */
  readonly answers: AnswerCounter;
}

/** The Cache service as grpc-js wants it. */
export function cacheHandlers(api: CallApi, context: CallContext): UntypedServiceImplementation {
  const serviceOf = (call: AnyCall) => new CacheService(api.within(scopeOf(call, context.clock)));
  return {
    get: unary((call) => serviceOf(call).get(call.request), context),
    put: unary((call) => serviceOf(call).put(call.request), context),
    delete: unary((call) => serviceOf(call).delete(call.request), context),
    multiGet: unary((call) => serviceOf(call).multiGet(call.request), context),
    increment: unary((call) => serviceOf(call).increment(call.request), context),
    purge: unary((call) => serviceOf(call).purge(call.request), context),
  };
}

/** Handlers that refuse every method of a service, which comes in a later release. */
export function laterHandlers(definition: ServiceDefinition): UntypedServiceImplementation {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, { requestStream, responseStream }] of Object.entries(definition)) {
    const refusal = statusOf(later(name));
    handlers[name] = responseStream
      ? (call: ServerWritableStream<unknown, unknown>) => void call.emit('error', refusal)
      : (_call: unknown, callback: sendUnaryData<unknown>) => callback(refusal);
    if (requestStream && !responseStream) throw new Error(`${name}: no client streams are served`);
  }
  return handlers;
}

function unary<Request, Response>(
  work: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
  { log, answers }: CallContext,
) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    work(call).then(
      (response) => {
        answers.count('ok');
        callback(null, response);
      },
      (cause: unknown) => {
        const error = asRingsideError(cause);
        if (error.code === 'internal') log.error({ err: cause }, 'gRPC call failed');
        answers.count(error.code);
        callback(statusOf(error));
      },
    );
  };
}
