import {
  type Client,
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { RingsideError } from '../../../lib/base/index.ts';
import { cacheProto, protoLoaderOptions } from '../../../lib/codec/proto/index.ts';
import { grpcChannelCredentials } from '../../../lib/net/grpc/index.ts';
import { Lane } from '../lane.ts';
import { GET, type Operation, SET } from '../operation.ts';
import type { Payload } from '../payload.ts';
import type { Session } from '../session.ts';
import type { Target } from '../target.ts';

const OPEN_TIMEOUT_MS = 5000;
const CALL_TIMEOUT_MS = 30_000;
const MAX_MESSAGE_BYTES = 512 * 1024 * 1024;

interface KeyResult {
  readonly found: boolean;
  readonly error: { readonly message: string } | null;
}

type Done<T> = (error: ServiceError | null, answer?: T) => void;
type Call<Q, A> = (request: Q, options: { deadline: number }, done: Done<A>) => ClientUnaryCall;

interface CacheClient extends Client {
  get: Call<{ key: Buffer }, { found: boolean }>;
  put: Call<{ key: Buffer; value: Buffer }, object>;
  multiGet: Call<{ keys: Buffer[] }, { results: readonly KeyResult[] }>;
}

type CacheConstructor = new (address: string, c: unknown, options: object) => CacheClient;
let cacheConstructor: Promise<CacheConstructor> | null = null;

function loadCache(): Promise<CacheConstructor> {
  cacheConstructor ??= load(cacheProto, protoLoaderOptions).then((definition) => {
    const root = loadPackageDefinition(definition) as unknown as {
      ringside: { v1: { Cache: CacheConstructor } };
    };
    return root.ringside.v1.Cache;
  });
  return cacheConstructor;
}

/** The proxy's gRPC interface, over one HTTP/2 connection with up to `window` calls in it. */
export class GrpcLane extends Lane {
  readonly #target: Target;
  readonly #payload: Payload;
  #client: CacheClient | null = null;
  #batch: Operation[] = [];

  constructor(target: Target, session: Session, window: number, payload: Payload) {
    super(session, window);
    this.#target = target;
    this.#payload = payload;
  }

  override get isOpen(): boolean {
    return this.#client !== null;
  }

  override async open(): Promise<void> {
    const Cache = await loadCache();
    const { host, port, tls } = this.#target;
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const client = new Cache(address, tls ? grpcChannelCredentials(tls) : credentials.createInsecure(), {
      // Otherwise all lanes would share one connection.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    });
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(this.session.clock.wallMs() + OPEN_TIMEOUT_MS, (error) => {
        if (!error) return resolve();
        client.close();
        reject(new RingsideError('unavailable', `no gRPC server answers on ${address}`, { cause: error }));
      });
    });
    this.#client = client;
  }

  override close(): void {
    this.#client?.close();
    this.#client = null;
  }

  protected override send(operation: Operation): void {
    this.#batch.push(operation);
  }

  protected override flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    const options = { deadline: this.session.clock.wallMs() + CALL_TIMEOUT_MS };
    for (const operation of batch) this.#call(this.#client!, operation, options);
  }

  #call(client: CacheClient, operation: Operation, options: { deadline: number }): void {
    const { kind, keys, valueBytes } = operation;
    const key = Buffer.from(operation.key, 'latin1');
    const done = <A>(hitsOf: (answer: A) => number | string): Done<A> => {
      return (error, answer) => {
        if (error?.code === status.UNAVAILABLE) this.pause();
        this.#done(operation, error ? error.details : hitsOf(answer as A));
      };
    };
    if (kind === GET)
      client.get(
        { key },
        options,
        done(({ found }) => Number(found)),
      );
    else if (kind === SET)
      client.put(
        { key, value: this.#payload.bytes(valueBytes) },
        options,
        done(() => 0),
      );
    else {
      const request = { keys: keys!.map((one) => Buffer.from(one, 'latin1')) };
      client.multiGet(
        request,
        options,
        done(({ results }) => hitsIn(results)),
      );
    }
  }

  #done(operation: Operation, hits: number | string): void {
    this.session.tick();
    if (typeof hits === 'number') this.answered(operation, hits);
    else this.failed(operation, hits);
    this.fill();
  }
}

function hitsIn(results: readonly KeyResult[]): number | string {
  const failed = results.find(({ error }) => error);
  return failed ? failed.error!.message : results.filter(({ found }) => found).length;
}
