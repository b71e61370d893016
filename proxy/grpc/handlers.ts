import type {
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Logger } from '../../lib/base/index.ts';
import { type AnswerCounter, asRingsideError } from '../listener/index.ts';
import { type CacheService, later } from './cache-service.ts';
import { statusOf } from './status.ts';

/** What every call works with. */
export interface CallContext {
  readonly log: Logger;
  /** Counts by Ringside's code, `ok` without an error. */
  readonly answers: AnswerCounter;
}

/** The Cache service as grpc-js wants it. */
export function cacheHandlers(service: CacheService, context: CallContext): UntypedServiceImplementation {
  return {
    get: unary((request) => service.get(request), context),
    put: unary((request) => service.put(request), context),
    delete: unary((request) => service.delete(request), context),
    multiGet: unary((request) => service.multiGet(request), context),
    increment: unary((request) => service.increment(request), context),
    purge: unary((request) => service.purge(request), context),
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
  work: (request: Request) => Promise<Response>,
  { log, answers }: CallContext,
) {
  return ({ request }: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    work(request).then(
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
