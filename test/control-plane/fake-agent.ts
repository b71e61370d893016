import {
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  type ControlMessage,
  controlPlaneProto,
  type Heartbeat,
  type Hello,
  protoLoaderOptions,
  type ReplicationState,
} from '../../lib/codec/proto/index.ts';
import { parseDocument, type RingDocument } from '../../lib/ring/index.ts';
import { until } from '../support/until.ts';

const definition = loadPackageDefinition(loadSync(controlPlaneProto, protoLoaderOptions));
const { ControlPlane } = (
  definition.ringside as unknown as { v1: { ControlPlane: ServiceClientConstructor } }
).v1;

type Stream = ClientDuplexStream<object, ControlMessage>;

/** An agent of flesh and wire: speaks the real protocol, and behaves as its test tells it. */
export class FakeAgent {
  readonly id: string;
  readonly runId: string;
  readonly received: ControlMessage[] = [];
  readonly hello: Partial<Hello>;
  document: RingDocument | null = null;
  /** Acknowledge documents as they come. */
  acks = true;
  replication: ReplicationState = {
    replId: 'r1',
    offset: '100',
    synced: true,
    complete: true,
    streamEpoch: '1',
    restored: false,
  };
  leaderSilentMs = 0;
  sealedEpoch = '0';
  ended: { code: number; details: string } | null = null;
  readonly stream: Stream;
  readonly #client: InstanceType<ServiceClientConstructor>;
  #timer: NodeJS.Timeout | undefined;
  #seq = 0;

  constructor(
    target: string,
    hello: Partial<Hello> & { id: string },
    { greet = true, runId = `run-of-${hello.id}` } = {},
  ) {
    this.id = hello.id;
    this.runId = runId;
    this.hello = { kind: 'NODE', runId, pid: 4711, address: `${hello.id}:7501`, weight: 1, ...hello };
    this.#client = new ControlPlane(target, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.stream = this.#client.Attach() as Stream;
    this.stream.on('data', (message: ControlMessage) => this.#receive(message));
    this.stream.on('error', ({ code, details }: { code: number; details: string }) => {
      this.ended = { code, details };
      this.stopHeartbeats();
    });
    if (greet) this.send({ hello: { ...this.hello, replication: this.replication } });
  }

  send(message: object): void {
    this.stream.write(message);
  }

  /** Reports every `everyMs` from now on, as a real agent does. */
  heartbeats(everyMs: number): this {
    const beat = () => this.send({ heartbeat: this.heartbeat() });
    beat();
    this.#timer = setInterval(beat, everyMs);
    return this;
  }

  stopHeartbeats(): void {
    clearInterval(this.#timer);
  }

  get shard(): RingDocument['shards'][number] | undefined {
    return this.document?.shards.find(({ name }) => name === this.hello.shard);
  }

  get leads(): boolean {
    return (
      this.shard?.leader === this.id &&
      this.document?.nodes.find(({ id }) => id === this.id)?.runId === this.runId
    );
  }

  heartbeat(): Partial<Heartbeat> {
    return {
      seq: String(++this.#seq),
      shardEpoch: this.shard?.epoch ?? '0',
      role: this.leads ? 'LEADER' : 'FOLLOWER',
      state: 'SERVING',
      replication: this.replication,
      leaderSilentMs: this.leaderSilentMs,
      sealedEpoch: this.sealedEpoch,
    };
  }

  /** Answers of the control plane of one kind, oldest first. */
  all<K extends ControlMessage['message']>(kind: K): Extract<ControlMessage, { message: K }>[] {
    return this.received.filter((message) => message.message === kind) as Extract<
      ControlMessage,
      { message: K }
    >[];
  }

  /** Waits for the first message of this kind. */
  async first<K extends ControlMessage['message']>(
    kind: K,
  ): Promise<Extract<ControlMessage, { message: K }>> {
    await until(`${this.id} gets a ${kind}`, () => this.all(kind).length > 0);
    return this.all(kind)[0];
  }

  /** Goes away as a killed process does. */
  close(): void {
    this.stopHeartbeats();
    this.stream.cancel();
    this.#client.close();
  }

  #receive(message: ControlMessage): void {
    this.received.push(message);
    if (message.message === 'seal') this.#onSeal(message.seal);
    if (message.message !== 'push') return;
    const { nonce, ringJson } = message.push;
    this.document = parseDocument(ringJson);
    const { incarnation, epoch, sha256 } = this.document;
    if (this.acks) this.send({ ack: { nonce, incarnation, epoch, sha256 } });
  }

  #onSeal({ shard, epoch }: { shard: string; epoch: string }): void {
    this.sealedEpoch = epoch;
    this.send({
      sealed: { shard, epoch, replication: this.replication, lastGrantAgoMs: this.leads ? 0 : 50 },
    });
  }
}
