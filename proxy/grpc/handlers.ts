import type {
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Logger } from '../../lib/base/index.ts';
import { asRingsideError } from '../listener/index.ts';
import { type CacheService, later } from './cache-service.ts';
import { statusOf } from './status.ts';

/** The Cache service as grpc-js wants it. */
export function cacheHandlers(service: CacheService, log: Logger): UntypedServiceImplementation {
  return {
    get: unary((request) => service.get(request), log),
    put: unary((request) => service.put(request), log),
    delete: unary((request) => service.delete(request), log),
    multiGet: unary((request) => service.multiGet(request), log),
    increment: unary((request) => service.increment(request), log),
    purge: unary(() => service.purge(), log),
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

function unary<Request, Response>(work: (request: Request) => Promise<Response>, log: Logger) {
  return ({ request }: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    work(request).then(
      (response) => callback(null, response),
      (cause: unknown) => {
        const error = asRingsideError(cause);
        if (error.code === 'internal') log.error({ err: cause }, 'gRPC call failed');
        callback(statusOf(error));
      },
    );
  };
}
