import type { Clock, Logger, Random } from '../../lib/base/index.ts';
import {
  type ControlMessage,
  controlPlaneProto,
  type FollowerProgress,
  type Heartbeat,
  type Hello,
  protoLoaderOptions,
} from '../../lib/codec/proto/index.ts';
import { duplexOpener, type ResubscribingStream, resubscribingStream } from '../../lib/net/grpc/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Followers } from '../replication/followers.ts';
import type { Controller } from './controller.ts';
import type { NodeFiles } from './node-files.ts';
import type { ShardState } from './shard-state.ts';

const BACKOFF = { initialMs: 100, maxMs: 1000 };
const SILENCE_MS = 2000;
const HEARTBEAT_MS = 250;
/** Heartbeats whose send time is remembered; older answers are worth nothing. */
const REMEMBERED_HEARTBEATS = 64;
/** Durations travel as 32 bits: 24 days. */
const MAX_INT32 = 2 ** 31 - 1;
/** Asking for the newest document more often does not bring it sooner. */
const REFRESH_MS = 100;

/** Fields of a message as they are sent: what is left out has its default. */
type Outgoing = Partial<Record<'hello' | 'heartbeat' | 'ack' | 'nack' | 'refresh' | 'sealed', object>>;

/** Who this node says it is. */
export type AgentIdentity = Pick<Hello, 'id' | 'runId' | 'pid' | 'address' | 'admin' | 'shard' | 'weight'>;

/** What the agent needs. */
export interface AgentOptions {
  /** `host:port` of the control plane's gRPC listener. */
  readonly address: string;
  readonly tls: TlsMaterial | undefined;
  readonly identity: AgentIdentity;
  readonly controller: Controller;
  readonly files: NodeFiles;
  readonly keyspace: Keyspace;
  readonly followers: Followers;
  readonly shard: ShardState;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The node's line to the control plane: reports, takes documents and seals, and renews the lease with each heartbeat that is granted. The
 * node serves on while it is down.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #stream: ResubscribingStream<Outgoing>;
  readonly #sentAtMs = new Map<number, number>();
  #heartbeat: NodeJS.Timeout | undefined;
  #beatScheduled = false;
  #seq = 0;
  #refreshedAtMs = -Infinity;

  constructor(options: AgentOptions) {
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
      onDown: () => clearInterval(this.#heartbeat),
      backoff: BACKOFF,
      silenceTimeoutMs: SILENCE_MS,
      random: options.random,
      log: options.log,
    });
    options.controller.onChange = () => this.#beatSoon();
    options.controller.onBehind = () => this.#refresh();
  }

  /** Whether the control plane answers at present. */
  get isUp(): boolean {
    return this.#stream.up;
  }

  #hello(): Hello {
    const { identity, controller } = this.#options;
    return {
      kind: 'NODE',
      ...identity,
      resp: '',
      ringJson: controller.documentJson,
      sealedEpoch: String(controller.sealedEpoch),
      replication: controller.replicationState(),
    };
  }

  #received(message: ControlMessage): void {
    if (message.message === 'welcome') this.#beginHeartbeats(message.welcome.heartbeatMs);
    else if (message.message === 'push') void this.#pushed(message.push);
    else if (message.message === 'seal') void this.#sealed(message.seal);
    else if (message.message === 'heartbeatReply') this.#answered(message.heartbeatReply);
  }

  #answered({ seq, granted, shardEpoch }: { seq: string; granted: boolean; shardEpoch: string }): void {
    const sentAtMs = this.#sentAtMs.get(Number(seq));
    if (!granted || sentAtMs === undefined) return;
    this.#options.shard.lease.grantedByControlPlane(Number(shardEpoch), sentAtMs);
  }

  async #pushed({ nonce, ringJson }: { nonce: string; ringJson: string }): Promise<void> {
    const { controller, files, log } = this.#options;
    const verdict = controller.offer(ringJson);
    if (!verdict.accepted) {
      log.warn({ code: verdict.code, reason: verdict.message }, 'ring document refused');
      this.#stream.send({ nack: { nonce, code: verdict.code, message: verdict.message } });
      return;
    }
    try {
      await files.writeDocument(ringJson);
    } catch (error) {
      // It is in force all the same; only a restart without a control plane would miss it.
      log.error({ err: error }, 'the ring document could not be written to disk');
    }
    const { incarnation, epoch, sha256 } = verdict.document;
    this.#stream.send({ ack: { nonce, incarnation, epoch, sha256 } });
  }

  async #sealed({ shard, epoch }: { shard: string; epoch: string }): Promise<void> {
    const { controller, files, identity, log } = this.#options;
    if (shard !== identity.shard) return;
    controller.seal(Number(epoch));
    try {
      await files.writeSeal(controller.sealedEpoch);
    } catch (error) {
      log.error({ err: error }, 'the seal could not be written to disk, and is not confirmed');
      return;
    }
    const sealed = controller.sealed();
    const lastGrantAgoMs = Math.min(sealed.lastGrantAgoMs, MAX_INT32);
    this.#stream.send({ sealed: { shard, ...sealed, lastGrantAgoMs } });
  }

  #beginHeartbeats(everyMs: number): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => this.#beat(), everyMs > 0 ? everyMs : HEARTBEAT_MS);
    this.#beat();
  }

  /** One heartbeat for all the changes of this turn. */
  #beatSoon(): void {
    if (this.#beatScheduled) return;
    this.#beatScheduled = true;
    setImmediate(() => {
      this.#beatScheduled = false;
      if (this.#stream.up) this.#beat();
    });
  }

  #beat(): void {
    const seq = ++this.#seq;
    this.#sentAtMs.set(seq, this.#options.clock.monotonicMs());
    this.#sentAtMs.delete(seq - REMEMBERED_HEARTBEATS);
    this.#stream.send({ heartbeat: this.#report(seq) });
  }

  #report(seq: number): Heartbeat {
    const { controller, keyspace } = this.#options;
    const { role, epoch } = controller.position;
    return {
      seq: String(seq),
      shardEpoch: String(epoch),
      role: role === 'leader' ? 'LEADER' : role === 'outsider' ? 'IDLE' : 'FOLLOWER',
      state: controller.isSynced ? 'SERVING' : role === 'outsider' ? 'STARTING' : 'SYNCING',
      replication: controller.replicationState(),
      leaderSilentMs: Math.min(Math.ceil(controller.leaderSilentMs), MAX_INT32),
      followers: role === 'leader' ? this.#followerProgress() : [],
      sealedEpoch: String(controller.sealedEpoch),
      maxVersion: keyspace.versions.toString(),
    };
  }

  #followerProgress(): FollowerProgress[] {
    const { followers, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    return [...followers.links].map((link) => ({
      id: link.id,
      ackOffset: String(Math.max(0, link.ackOffset)),
      lagMs: Math.min(Math.ceil(link.lagMs(nowMs)), MAX_INT32),
    }));
  }

  #refresh(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#refreshedAtMs < REFRESH_MS) return;
    if (this.#stream.send({ refresh: {} })) this.#refreshedAtMs = nowMs;
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#stream.close();
  }
}
