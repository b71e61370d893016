import { loadPackageDefinition, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type AgentMessage, controlPlaneProto, protoLoaderOptions } from '../../lib/codec/proto/index.ts';
import { type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import type { FakeNode } from './fake-node.ts';
import { freePort } from './ports.ts';

type Call = ServerDuplexStream<AgentMessage, object>;

/** A shard as a test describes it. */
export interface FakeShard {
  readonly epoch?: number;
  readonly leader: FakeNode | null;
  readonly followers?: readonly FakeNode[];
}

/** The document of shards s0, s1, … at this ring epoch. */
export function documentOf(epoch: number, shards: readonly FakeShard[], incarnation = 1): RingDocument {
  const idOf = ({ address }: FakeNode) => `node-${address.split(':')[1]}`;
  const named = shards.map((shard, i) => ({ ...shard, followers: shard.followers ?? [], name: `s${i}` }));
  return sealDocument({
    incarnation: String(incarnation),
    epoch: String(epoch),
    virtualNodes: 256,
    leaseMs: 1000,
    shards: named.map(({ name, epoch: shardEpoch = 1, leader, followers }) => ({
      name,
      weight: 1,
      epoch: String(shardEpoch),
      leader: leader && idOf(leader),
      followers: followers.map(idOf),
    })),
    nodes: named.flatMap(({ name, leader, followers }) =>
      [...(leader ? [leader] : []), ...followers].map((node) => ({
        id: idOf(node),
        runId: 'r',
        shard: name,
        address: node.address,
        admin: '',
      })),
    ),
  });
}

/** A control plane that pushes what a test gives it and keeps what it hears. */
export class FakeControlPlane {
  readonly heard: AgentMessage[] = [];
  /** Pushed to whoever attaches or asks for a refresh. */
  document: RingDocument | null = null;
  readonly #calls = new Set<Call>();
  readonly #server = new Server();
  #nonce = 0;
  address = '';

  /** `port`: where another one was. */
  static async start(port?: number): Promise<FakeControlPlane> {
    const plane = new FakeControlPlane();
    await plane.#listen(port ?? (await freePort()));
    return plane;
  }

  /** Messages of one kind, as their content. */
  heardOf(kind: string): Record<string, string>[] {
    return this.heard
      .filter(({ message }) => message === kind)
      .map((message) => (message as unknown as Record<string, Record<string, string>>)[kind]);
  }

  /** Pushes to everybody, and from now on to whoever comes. */
  push(document: RingDocument): void {
    this.document = document;
    for (const call of this.#calls) this.#send(call, document);
  }

  async stop(): Promise<void> {
    this.#server.forceShutdown();
  }

  async #listen(port: number): Promise<void> {
    const definition = loadPackageDefinition(loadSync(controlPlaneProto, protoLoaderOptions)) as never as {
      ringside: { v1: { ControlPlane: { service: Parameters<Server['addService']>[0] } } };
    };
    this.#server.addService(definition.ringside.v1.ControlPlane.service, {
      Attach: (call: Call) => this.#attach(call),
    });
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, at) =>
        error ? reject(error) : resolve(at),
      );
    });
    this.address = `127.0.0.1:${bound}`;
  }

  #attach(call: Call): void {
    this.#calls.add(call);
    call.on('data', (message: AgentMessage) => {
      this.heard.push(message);
      if (message.message === 'hello')
        call.write({ welcome: { heartbeatMs: 50, leaseMs: 1000, suspectAfterMs: 10_000 } });
      if (message.message === 'heartbeat') call.write({ heartbeatReply: { seq: message.heartbeat.seq } });
      if (this.document && (message.message === 'hello' || message.message === 'refresh'))
        this.#send(call, this.document);
    });
    const forget = () => this.#calls.delete(call);
    call.on('end', () => {
      forget();
      call.end();
    });
    call.on('cancelled', forget);
    call.on('error', forget);
  }

  #send(call: Call, document: RingDocument): void {
    call.write({ push: { nonce: String(++this.#nonce), ringJson: JSON.stringify(document) } });
  }
}
