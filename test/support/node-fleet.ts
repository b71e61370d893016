import { loadPackageDefinition, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  type AgentMessage,
  controlPlaneProto,
  type Heartbeat,
  type Hello,
  type Nack,
  protoLoaderOptions,
  type Sealed,
} from '../../lib/codec/proto/index.ts';
import { type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

type Call = ServerDuplexStream<AgentMessage, object>;

/** How the fleet's lease and heartbeats are timed, in milliseconds. */
export const LEASE_MS = 3000;
const HEARTBEAT_MS = 50;

/** One attached node, as the control plane knows it. */
export class AttachedNode {
  readonly call: Call;
  readonly hello: Hello;
  readonly nacks: Nack[] = [];
  readonly seals: Sealed[] = [];
  /** Epochs of the documents it acknowledged, in order. */
  readonly acks: string[] = [];
  refreshes = 0;
  heartbeat: Heartbeat | null = null;

  constructor(call: Call, hello: Hello) {
    this.call = call;
    this.hello = hello;
  }
}

/** What a test decides about the shard `s1`. */
export interface ShardShape {
  readonly epoch: number;
  readonly leader: string | null;
  readonly followers?: readonly string[];
}

/** A control plane for nodes that does nothing by itself: a test pushes documents and seals, and grants leases or does not. */
export class NodeFleet {
  readonly nodes = new Map<string, AttachedNode>();
  /** Whether heartbeats of the leader of this epoch are granted; null: none are. */
  grantedEpoch: number | null = null;
  address = '';
  #server = new Server();
  #nonce = 0;
  #ringEpoch = 0;

  static async start(): Promise<NodeFleet> {
    const fleet = new NodeFleet();
    await fleet.listen(await freePort());
    return fleet;
  }

  async listen(port: number): Promise<void> {
    const definition = loadPackageDefinition(loadSync(controlPlaneProto, protoLoaderOptions)) as never as {
      ringside: { v1: { ControlPlane: { service: Parameters<Server['addService']>[0] } } };
    };
    this.#server = new Server();
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

  /** As if killed. */
  stop(): void {
    this.#server.forceShutdown();
    this.nodes.clear();
  }

  #attach(call: Call): void {
    let node: AttachedNode | null = null;
    call.on('data', (message: AgentMessage) => {
      if (message.message === 'hello') {
        node = new AttachedNode(call, message.hello);
        this.nodes.set(message.hello.id, node);
        call.write({ welcome: { heartbeatMs: HEARTBEAT_MS, leaseMs: LEASE_MS, suspectAfterMs: 10_000 } });
      } else if (node) {
        this.#heard(node, message);
      }
    });
    for (const event of ['end', 'cancelled', 'error']) call.on(event, () => call.end());
  }

  #heard(node: AttachedNode, message: AgentMessage): void {
    if (message.message === 'ack') node.acks.push(message.ack.epoch);
    else if (message.message === 'nack') node.nacks.push(message.nack);
    else if (message.message === 'sealed') node.seals.push(message.sealed);
    else if (message.message === 'refresh') node.refreshes++;
    else if (message.message === 'heartbeat') {
      node.heartbeat = message.heartbeat;
      const granted =
        message.heartbeat.role === 'LEADER' && Number(message.heartbeat.shardEpoch) === this.grantedEpoch;
      node.call.write({
        heartbeatReply: { seq: message.heartbeat.seq, granted, shardEpoch: String(this.grantedEpoch ?? 0) },
      });
    }
  }

  /** Resolves with the node once it has attached. */
  attached(id: string): Promise<AttachedNode> {
    return until(`${id} attaches`, () => this.nodes.get(id));
  }

  /** The document of one shard with every attached node, at a new ring epoch (or the one given). */
  document({ epoch, leader, followers = [] }: ShardShape, ringEpoch = ++this.#ringEpoch): RingDocument {
    return sealDocument({
      incarnation: '1',
      epoch: String(ringEpoch),
      virtualNodes: 256,
      leaseMs: LEASE_MS,
      shards: [{ name: 's1', weight: 1, epoch: String(epoch), leader, followers }],
      nodes: [...this.nodes.values()].map(({ hello }) => ({
        id: hello.id,
        runId: hello.runId,
        shard: 's1',
        address: hello.address,
        admin: hello.admin,
      })),
    });
  }

  /** Pushes a document to these nodes (all by default) and resolves when they have answered. */
  async push(document: RingDocument, ids: readonly string[] = [...this.nodes.keys()]): Promise<void> {
    await Promise.all(
      ids.map((id) =>
        this.#ask(
          id,
          'answers the push',
          { push: { nonce: String(++this.#nonce), ringJson: JSON.stringify(document) } },
          ({ acks, nacks }) => acks.length + nacks.length,
        ),
      ),
    );
  }

  /** Gives the shard this shape, everywhere, and grants leases for its epoch. */
  async shape(shape: ShardShape, ids?: readonly string[]): Promise<RingDocument> {
    const document = this.document(shape);
    this.grantedEpoch = shape.epoch;
    await this.push(document, ids);
    return document;
  }

  /** Seals a node and resolves with its answer. */
  async seal(id: string, epoch: number): Promise<Sealed> {
    const message = { seal: { shard: 's1', epoch: String(epoch) } };
    const node = await this.#ask(id, 'is sealed', message, ({ seals }) => seals.length);
    return node.seals.at(-1)!;
  }

  /** Says it to the node, and again when it attaches anew meanwhile, until `count` tells of an answer. */
  #ask(
    id: string,
    what: string,
    message: object,
    count: (node: AttachedNode) => number,
  ): Promise<AttachedNode> {
    let asked: AttachedNode | undefined;
    let before = 0;
    return until(`${id} ${what}`, () => {
      const node = this.nodes.get(id);
      if (node && node !== asked) {
        [asked, before] = [node, count(node)];
        node.call.write(message);
      }
      return asked && count(asked) > before ? asked : undefined;
    });
  }

  /** Resolves when the node reports itself synced at the granted epoch: what it said at an earlier one is history. */
  async synced(id: string): Promise<void> {
    await until(`${id} is synced`, () => {
      const heartbeat = this.nodes.get(id)?.heartbeat;
      const isNow = this.grantedEpoch === null || Number(heartbeat?.shardEpoch) === this.grantedEpoch;
      return isNow && heartbeat?.replication?.synced;
    });
  }
}
