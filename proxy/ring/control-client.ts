import type { Logger, Random } from '../../lib/base/index.ts';
import { type ControlMessage, controlPlaneProto, protoLoaderOptions } from '../../lib/codec/proto/index.ts';
import { duplexOpener, type ResubscribingStream, resubscribingStream } from '../../lib/net/grpc/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { RingKeeper } from './ring-keeper.ts';

const BACKOFF = { initialMs: 100, maxMs: 2000 };
const SILENCE_MS = 3000;
const HEARTBEAT_MS = 250;

/** Fields of a message as they are sent: what is left out has its default. */
type Outgoing = Partial<Record<'hello' | 'heartbeat' | 'ack' | 'nack' | 'refresh', object>>;

/** Who this proxy says it is. */
export interface ProxyIdentity {
  readonly id: string;
  readonly runId: string;
  readonly pid: number;
  /** `host:port` of the RESP listener; empty without one. */
  readonly resp: string;
  /** `host:port` of the admin listener as others reach it; empty without one. */
  readonly admin: string;
}

/** What the control client needs. */
export interface ControlClientOptions {
  /** `host:port` of the control plane's gRPC listener. */
  readonly address: string;
  readonly tls: TlsMaterial | undefined;
  readonly identity: ProxyIdentity;
  readonly keeper: RingKeeper;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Attached to the control plane for as long as the proxy lives: takes its rings, answers each with ACK or NACK, and asks for the newest when a
 * node says that ours is stale. The data path never waits for it.
 */
export class ControlClient {
  readonly #options: ControlClientOptions;
  readonly #stream: ResubscribingStream<Outgoing>;
  #heartbeat: NodeJS.Timeout | undefined;
  #seq = 0;
  #isRefreshing = false;

  constructor(options: ControlClientOptions) {
    this.#options = options;
    this.#stream = resubscribingStream<Outgoing, ControlMessage>({
      open: duplexOpener({
        proto: controlPlaneProto,
        loaderOptions: protoLoaderOptions,
        service: 'ringside.v1.ControlPlane',
        method: 'Attach',
        address: options.address,
        tls: options.tls,
      }),
      onOpen: (send) => send({ hello: this.#hello() }),
      onMessage: (message) => this.#received(message),
      onDown: () => {
        clearInterval(this.#heartbeat);
        this.#isRefreshing = false;
      },
      backoff: BACKOFF,
      silenceTimeoutMs: SILENCE_MS,
      random: options.random,
      log: options.log,
    });
  }

  /** Whether the control plane answers at present. */
  get isUp(): boolean {
    return this.#stream.up;
  }

  /** Asks for the newest ring. Asked again before the answer is here, it asks once. */
  refresh(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = this.#stream.send({ refresh: {} });
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#stream.close();
  }

  #hello(): object {
    const { identity, keeper } = this.#options;
    return { kind: 'PROXY', ...identity, ringJson: keeper.heldJson };
  }

  #received(message: ControlMessage): void {
    if (message.message === 'welcome') this.#beginHeartbeats(message.welcome.heartbeatMs);
    else if (message.message === 'push') void this.#pushed(message.push);
  }

  async #pushed({ nonce, ringJson }: { nonce: string; ringJson: string }): Promise<void> {
    this.#isRefreshing = false;
    const verdict = await this.#options.keeper.offer(ringJson);
    if (!verdict.accepted) {
      this.#stream.send({ nack: { nonce, code: verdict.code, message: verdict.message } });
      return;
    }
    const { incarnation, epoch, sha256 } = verdict.document;
    this.#stream.send({ ack: { nonce, incarnation, epoch, sha256 } });
  }

  #beginHeartbeats(everyMs: number): void {
    clearInterval(this.#heartbeat);
    const beat = () => void this.#stream.send({ heartbeat: { seq: String(++this.#seq) } });
    this.#heartbeat = setInterval(beat, everyMs > 0 ? everyMs : HEARTBEAT_MS);
  }
}
