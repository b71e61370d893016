import { type ClientDuplexStream, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';
import type { TlsMaterial } from '../tls-material.ts';
import { grpcChannelCredentials } from './credentials.ts';
import type { StreamAttempt } from './resubscribing-stream.ts';

/** A bidirectional method of a service, and where it is served. */
export interface DuplexTarget {
  /** Path of the file that defines the service, and how it is loaded. */
  readonly proto: string;
  readonly loaderOptions: Options;
  /** Full name, such as `ringside.v1.ControlPlane`. */
  readonly service: string;
  readonly method: string;
  /** `host:port`. */
  readonly address: string;
  /** Undefined: plain TCP. */
  readonly tls: TlsMaterial | undefined;
}

/** Loads the definition once; each call of what it returns starts the method on a channel of its own, for {@link resubscribingStream}. */
export function duplexOpener<Out, In>(target: DuplexTarget): () => StreamAttempt<Out, In> {
  const Client = serviceNamed(target);
  return () => {
    const client = new Client(target.address, grpcChannelCredentials(target.tls), {
      'grpc.max_receive_message_length': -1,
      // The shared pool would keep grpc-js's own backoff from attempt to attempt, which grows to two minutes.
      'grpc.use_local_subchannel_pool': 1,
    });
    const stream = client[target.method]() as ClientDuplexStream<Out, In>;
    return { stream, dispose: () => client.close() };
  };
}

function serviceNamed({ proto, loaderOptions, service }: DuplexTarget): ServiceClientConstructor {
  let found: unknown = loadPackageDefinition(loadSync(proto, loaderOptions));
  for (const part of service.split('.')) found = (found as Record<string, unknown>)[part];
  return found as ServiceClientConstructor;
}
