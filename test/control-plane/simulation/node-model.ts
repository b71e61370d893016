import type { Random } from '../../../lib/base/index.ts';
import type { Heartbeat, Hello, ReplicationState, Sealed } from '../../../lib/codec/proto/index.ts';
import { judgeDocument, parseDocument, type RingDocument } from '../../../lib/ring/index.ts';
import { Lease } from '../../../node/cluster/lease.ts';
import { decidePosition, type Position } from '../../../node/cluster/role.ts';
import { Connection, type Network, Process, type Timeline } from './events.ts';

/** What a node says to the control plane and hears from it. */
export type ToControl =
  | { type: 'hello'; hello: Hello }
  | { type: 'heartbeat'; heartbeat: Heartbeat }
  | { type: 'ack'; document: RingDocument }
  | { type: 'sealed'; sealed: Sealed };
export type ToNode =
  | { type: 'push'; document: RingDocument }
  | { type: 'seal'; epoch: number }
  | { type: 'reply'; seq: number; granted: boolean; shardEpoch: number }
  | { type: 'refused' };

type ToFollower =
  | { type: 'full'; log: number[]; replId: string }
  | { type: 'continue'; from: number; entries: number[]; replId: string }
  | { type: 'entries'; entries: number[] }
  | { type: 'lease'; epoch: number; seq: number };
type ToLeader =
  | { type: 'follow'; log: number[] }
  | { type: 'leaseack'; seq: number }
  | { type: 'ack'; offset: number };

/** The control plane as nodes reach it. */
export interface ControlHost {
  process: Process | null;
  accept(connection: Connection<ToNode, ToControl>): { receive: (m: ToControl) => void; closed: () => void };
}

/** The data set as it was when it was last saved. */
interface SavedData {
  readonly log: readonly number[];
  readonly replId: string;
  readonly streamEpoch: number;
}

/** What survives a restart of a node that has a folder; the data only of one that saves it, and not the newest. */
export interface Disk {
  document: string | null;
  sealedEpoch: number;
  readonly savesData: boolean;
  data: SavedData | null;
}

interface Pending {
  write: number;
  offset: number;
}

interface FollowerLink {
  connection: Connection<ToLeader, ToFollower>;
  ackOffset: number;
  leases: Map<number, number>;
}

const HEARTBEAT_MS = 250;
const SAVE_MS = 900;

/** A node as the rules of leases, seals and replication describe it; lease and role are the real ones. */
export class NodeModel extends Process {
  readonly shard: string;
  readonly runId: string;
  readonly lease = new Lease();
  log: number[] = [];
  complete = false;
  synced = false;
  streamEpoch = 0;
  restored = false;
  replId = '';
  position: Position;
  document: RingDocument | null = null;
  sealedEpoch = 0;
  readonly links = new Map<string, FollowerLink>();
  readonly #network: Network;
  readonly #random: Random;
  readonly #control: ControlHost;
  readonly #peers: Map<string, NodeModel>;
  readonly #disk: Disk | null;
  readonly #onAcknowledged: (node: NodeModel, write: number, mode: 'leader' | 'replica') => void;
  #pending: Pending[] = [];
  #stream: Connection<ToNode, ToControl> | null = null;
  #streamHeardMs = 0;
  #upstream: Connection<ToLeader, ToFollower> | null = null;
  #upstreamKey = '';
  #leaderHeardMs = -1;
  #lastGrantMs = -1;
  #seq = 0;
  readonly #sentAt = new Map<number, number>();

  constructor(options: {
    timeline: Timeline;
    network: Network;
    random: Random;
    control: ControlHost;
    peers: Map<string, NodeModel>;
    id: string;
    shard: string;
    disk: Disk | null;
    onAcknowledged: (node: NodeModel, write: number, mode: 'leader' | 'replica') => void;
  }) {
    super(options.timeline, options.id, options.random);
    this.shard = options.shard;
    this.runId = options.random.hex(4);
    this.#network = options.network;
    this.#random = options.random;
    this.#control = options.control;
    this.#peers = options.peers;
    this.#disk = options.disk;
    this.#onAcknowledged = options.onAcknowledged;
    this.sealedEpoch = options.disk?.sealedEpoch ?? 0;
    this.position = decidePosition(this.#me, null, 0);
    if (options.disk?.data != null) this.#load(options.disk.data);
    if (options.disk?.savesData) this.every(SAVE_MS * (0.5 + this.#random.next()), () => this.#save());
    if (options.disk?.document != null) this.#apply(parseDocument(options.disk.document));
    this.every(HEARTBEAT_MS, () => this.#heartbeat());
    this.every(50, () => this.#connect());
    this.every(250, () => this.#renewLeases());
  }

  get #me() {
    return { id: this.name, runId: this.runId, shard: this.shard };
  }

  #load({ log, replId, streamEpoch }: SavedData): void {
    Object.assign(this, { log: [...log], replId, streamEpoch, complete: true, restored: true });
  }

  #save(): void {
    const { log, replId, streamEpoch } = this;
    if (this.complete) this.#disk!.data = { log: [...log], replId, streamEpoch };
  }

  /** Sealed above the document's epoch, but it was the leader of that epoch: it streams on, without writes. */
  #stoppedLeader = false;

  get leads(): boolean {
    return this.position.role === 'leader';
  }

  /** May execute and acknowledge writes now. */
  get mayWrite(): boolean {
    return this.leads && this.lease.isHeld(this.clockMs);
  }

  /** A client's write: true when executed. */
  write(id: number, mode: 'leader' | 'replica'): boolean {
    if (!this.mayWrite) return false;
    if (mode === 'replica' && !this.position.listedFollowers.some((follower) => this.links.has(follower)))
      return false;
    this.log.push(id);
    for (const { connection } of this.links.values()) connection.toSecond({ type: 'entries', entries: [id] });
    if (mode === 'leader') this.#onAcknowledged(this, id, mode);
    else this.#pending.push({ write: id, offset: this.log.length });
    return true;
  }

  /** kill -9. */
  crash(): void {
    this.alive = false;
    this.#stream?.close();
    this.#upstream?.close();
    for (const { connection } of this.links.values()) connection.close();
  }

  #replication(): ReplicationState {
    const { replId, streamEpoch, restored } = this;
    const complete = this.complete || this.leads;
    const synced = this.leads || this.synced;
    return {
      replId,
      offset: String(this.log.length),
      synced,
      complete,
      streamEpoch: String(streamEpoch),
      restored,
    };
  }

  #connect(): void {
    if (this.#stream !== null && this.clockMs - this.#streamHeardMs > 3000) {
      this.#stream.close();
      this.#stream = null;
    }
    const control = this.#control.process;
    if (
      this.#stream === null &&
      control?.alive &&
      this.#random.int(4) === 0 &&
      !this.#network.isCut(this.name, control.name)
    ) {
      this.#attach(control);
    }
    this.#follow();
  }

  #attach(control: Process): void {
    const own = {
      process: this as Process,
      receive: (message: ToNode) => this.#stream === stream && this.#onControl(message),
      closed: () => {
        if (this.#stream === stream) this.#stream = null;
      },
    };
    const far = { process: control, receive: (_: ToControl) => {}, closed: () => {} };
    const stream = new Connection<ToNode, ToControl>(this.#network, own, far);
    Object.assign(far, this.#control.accept(stream));
    this.#stream = stream;
    this.#streamHeardMs = this.clockMs;
    const hello: Hello = {
      kind: 'NODE',
      id: this.name,
      runId: this.runId,
      pid: 1,
      address: `${this.name}:7501`,
      admin: '',
      resp: '',
      shard: this.shard,
      weight: 1,
      ringJson: this.document === null ? '' : JSON.stringify(this.document),
      sealedEpoch: String(this.sealedEpoch),
      replication: this.#replication(),
    };
    stream.toSecond({ type: 'hello', hello });
    this.#heartbeat();
  }

  #heartbeat(): void {
    if (this.#stream === null) return;
    const seq = ++this.#seq;
    this.#sentAt.set(seq, this.clockMs);
    this.#sentAt.delete(seq - 50);
    const followers = [...this.links].map(([id, link]) => {
      const lagMs = link.ackOffset >= this.log.length ? 0 : 5;
      return { id, ackOffset: String(link.ackOffset), lagMs };
    });
    const heartbeat: Heartbeat = {
      seq: String(seq),
      shardEpoch: String(this.position.epoch),
      role: this.leads ? 'LEADER' : 'FOLLOWER',
      state: this.synced || this.leads ? 'SERVING' : 'SYNCING',
      replication: this.#replication(),
      leaderSilentMs: this.#leaderHeardMs < 0 ? -1 : Math.round(this.clockMs - this.#leaderHeardMs),
      followers,
      sealedEpoch: String(this.sealedEpoch),
      maxVersion: '0',
    };
    this.#stream.toSecond({ type: 'heartbeat', heartbeat });
  }

  #onControl(message: ToNode): void {
    this.#streamHeardMs = this.clockMs;
    switch (message.type) {
      case 'reply': {
        const sentAt = this.#sentAt.get(message.seq);
        if (message.granted && sentAt !== undefined)
          this.lease.grantedByControlPlane(message.shardEpoch, sentAt);
        break;
      }
      case 'push':
        this.#onPush(message.document);
        break;
      case 'seal':
        this.#onSeal(message.epoch);
        break;
      case 'refused':
        this.#stream?.close();
        this.#stream = null;
    }
  }

  #onPush(document: RingDocument): void {
    const verdict = judgeDocument(this.document, document);
    if (verdict === 'conflict') throw new Error(`two contents for ${document.incarnation}/${document.epoch}`);
    if (verdict === 'older') return;
    if (verdict === 'newer') this.#apply(document);
    this.#stream?.toSecond({ type: 'ack', document });
  }

  #apply(document: RingDocument): void {
    const { role: before, epoch: beforeEpoch } = this.position;
    this.document = document;
    if (this.#disk !== null) this.#disk.document = JSON.stringify(document);
    this.#settle(before, beforeEpoch);
  }

  #settle(before: Position['role'], beforeEpoch: number): void {
    const was = this.position;
    this.position = decidePosition(this.#me, this.document, this.sealedEpoch);
    this.#stoppedLeader =
      this.position.role === 'outsider' &&
      this.position.epoch === was.epoch &&
      (was.role === 'leader' || this.#stoppedLeader);
    if (this.leads) {
      const { epoch, leaseMs, listedFollowers } = this.position;
      this.lease.hold(epoch, leaseMs, listedFollowers);
      if (before !== 'leader' && !this.#stoppedLeader) this.replId = `${this.runId}-${epoch}`;
      this.streamEpoch = epoch;
      this.complete = true;
      this.restored = false;
      this.synced = false;
    } else {
      this.lease.drop();
      this.#pending = [];
    }
    if (beforeEpoch === this.position.epoch && before === this.position.role) return;
    if (!this.#stoppedLeader) this.#dropLinks();
    this.#dropUpstream();
    this.#heartbeat();
  }

  #dropLinks(): void {
    for (const { connection } of this.links.values()) connection.close();
    this.links.clear();
  }

  #dropUpstream(): void {
    this.#upstream?.close();
    this.#upstream = null;
    this.#upstreamKey = '';
    this.synced = false;
    this.#leaderHeardMs = -1;
  }

  #onSeal(epoch: number): void {
    if (epoch > this.sealedEpoch && epoch > this.position.epoch) {
      this.sealedEpoch = epoch;
      if (this.#disk !== null) this.#disk.sealedEpoch = epoch;
      const silentSince = this.#leaderHeardMs;
      this.#settle(this.position.role, this.position.epoch);
      this.#leaderHeardMs = silentSince;
    }
    const sealed: Sealed = {
      shard: this.shard,
      epoch: String(Math.max(this.sealedEpoch, epoch)),
      replication: this.#replication(),
      lastGrantAgoMs: this.#lastGrantMs < 0 ? -1 : Math.floor(this.clockMs - this.#lastGrantMs),
    };
    this.#stream?.toSecond({ type: 'sealed', sealed });
  }

  #follow(): void {
    const { leader, epoch } = this.position;
    const key = leader === null ? '' : `${leader.id} ${epoch}`;
    if (key === '' || (this.#upstream?.open && this.#upstreamKey === key)) return;
    const target = this.#peers.get(leader!.id);
    if (!target?.alive || this.#network.isCut(this.name, target.name)) return;
    this.synced = false;
    this.#upstreamKey = key;
    const own = {
      process: this as Process,
      receive: (message: ToFollower) => this.#upstream === link && this.#onStream(message),
      closed: () => {
        if (this.#upstream === link) {
          this.#upstream = null;
          this.synced = false;
        }
      },
    };
    let entry: FollowerLink | null = null;
    const far = {
      process: target as Process,
      receive: (message: ToLeader) => {
        if (message.type === 'follow') entry = target.#welcomeFollower(this.name, epoch, message.log, link);
        else if (entry !== null) target.#onFollower(this.name, entry, message);
      },
      closed: () => {
        if (target.links.get(this.name)?.connection === link) target.links.delete(this.name);
      },
    };
    const link = new Connection<ToLeader, ToFollower>(this.#network, far as never, own as never);
    this.#upstream = link;
    link.toFirst({ type: 'follow', log: this.complete ? this.log : [] });
  }

  #welcomeFollower(
    id: string,
    epoch: number,
    log: number[],
    connection: Connection<ToLeader, ToFollower>,
  ): FollowerLink | null {
    if (!this.leads || this.position.epoch !== epoch) {
      connection.close();
      return null;
    }
    this.links.get(id)?.connection.close();
    const entry = { connection, ackOffset: 0, leases: new Map<number, number>() };
    this.links.set(id, entry);
    const isPrefix = log.length > 0 && log.every((write, i) => this.log[i] === write);
    const { replId } = this;
    if (isPrefix)
      connection.toSecond({
        type: 'continue',
        from: log.length,
        entries: this.log.slice(log.length),
        replId,
      });
    else this.timeline.after(this.#random.next() * 300, () => this.act(() => this.#sendFull(id, entry)));
    return entry;
  }

  #sendFull(id: string, entry: FollowerLink): void {
    if (this.links.get(id) !== entry || !this.leads) return;
    entry.connection.toSecond({ type: 'full', log: [...this.log], replId: this.replId });
    entry.ackOffset = -1;
  }

  #onStream(message: ToFollower): void {
    this.#leaderHeardMs = this.clockMs;
    switch (message.type) {
      case 'lease':
        if (message.epoch < this.sealedEpoch || message.epoch !== this.position.epoch) return;
        this.#lastGrantMs = this.clockMs;
        this.#upstream!.toFirst({ type: 'leaseack', seq: message.seq });
        return;
      case 'full':
        this.log = [...message.log];
        this.#becomeSynced(message.replId);
        break;
      case 'continue':
        this.log = [...this.log.slice(0, message.from), ...message.entries];
        this.#becomeSynced(message.replId);
        break;
      case 'entries':
        if (!this.synced) return;
        this.log.push(...message.entries);
    }
    this.#upstream!.toFirst({ type: 'ack', offset: this.log.length });
  }

  #becomeSynced(replId: string): void {
    this.replId = replId;
    this.complete = true;
    this.restored = false;
    this.synced = true;
    this.streamEpoch = this.position.epoch;
    this.#heartbeat();
  }

  #onFollower(id: string, entry: FollowerLink, message: ToLeader): void {
    if (this.links.get(id) !== entry) return;
    if (message.type === 'leaseack') {
      const sentAt = entry.leases.get(message.seq);
      if (sentAt !== undefined) this.lease.grantedByFollower(id, this.position.epoch, sentAt);
      return;
    }
    if (message.type !== 'ack') return;
    entry.ackOffset = message.offset;
    if (!this.position.listedFollowers.includes(id)) return;
    const done = this.#pending.filter(({ offset }) => offset <= message.offset);
    this.#pending = this.#pending.filter(({ offset }) => offset > message.offset);
    // What was executed under a lease that ran out meanwhile stays unknown to the client.
    if (this.mayWrite) for (const { write } of done) this.#onAcknowledged(this, write, 'replica');
  }

  #renewLeases(): void {
    if (!this.leads) return;
    const seq = ++this.#seq;
    for (const { connection, leases } of this.links.values()) {
      leases.set(seq, this.clockMs);
      leases.delete(seq - 100);
      connection.toSecond({ type: 'lease', epoch: this.position.epoch, seq });
    }
  }
}
