import type { CoreOptions } from '../../../control-plane/core/index.ts';
import { type Random, seededRandom } from '../../../lib/base/index.ts';
import type { RingDocument } from '../../../lib/ring/index.ts';
import { type ControlDisk, ControlModel } from './control-model.ts';
import { Network, Timeline } from './events.ts';
import { type ControlHost, type Disk, NodeModel } from './node-model.ts';

export const coreOptions: CoreOptions = {
  leaseMs: 1000,
  heartbeatMs: 250,
  suspectAfterMs: 1000,
  collectMs: 2000,
  tickMs: 25,
  virtualNodes: 8,
  formation: { shards: 1, nodesPerShard: 3 },
};

/** A write that a client was told is done. */
interface Acknowledged {
  write: number;
  shard: string;
  mode: 'leader' | 'replica';
  atMs: number;
}

/** A whole cluster in virtual time, with the invariants that must hold at every step. */
export class World {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly network: Network;
  readonly nodes = new Map<string, NodeModel>();
  readonly acknowledged: Acknowledged[] = [];
  readonly transcript: string[] = [];
  readonly options: CoreOptions;
  control: ControlModel | null = null;
  readonly #host: ControlHost;
  readonly #disks = new Map<string, Disk>();
  #controlDisk: ControlDisk = { text: null };
  readonly #leaderOfEpoch = new Map<string, string>();
  readonly #shaOfVersion = new Map<string, string>();
  readonly #lastAck = new Map<string, { atMs: number; by: string }>();
  #writes = 0;

  constructor(seed: number, { shards = 1, nodesPerShard = 3, disks = false, savesData = false } = {}) {
    this.random = seededRandom(seed);
    this.network = new Network(this.timeline, this.random);
    this.options = { ...coreOptions, formation: { shards, nodesPerShard } };
    const world = this;
    this.#host = {
      get process() {
        return world.control;
      },
      accept: (connection) => world.control!.accept(connection),
    };
    this.startControl();
    for (let s = 1; s <= shards; s++) {
      for (let n = 1; n <= nodesPerShard; n++) {
        if (disks || savesData)
          this.#disks.set(`s${s}-${n}`, { document: null, sealedEpoch: 0, savesData, data: null });
        this.startNode(`s${s}-${n}`);
      }
    }
  }

  get nowMs(): number {
    return Math.round(this.timeline.nowMs);
  }

  say(line: string): void {
    this.transcript.push(`${String(this.nowMs).padStart(6)}  ${line}`);
  }

  startControl(): void {
    this.control = new ControlModel({
      timeline: this.timeline,
      random: this.random,
      disk: this.#controlDisk,
      core: this.options,
      trace: (line) => this.say(`control plane: ${line}`),
      onPushed: (document) => this.#onPushed(document),
    });
  }

  crashControl({ loseState = false } = {}): void {
    this.say(`-- control plane dies${loseState ? ' and loses its state' : ''}`);
    this.control?.crash();
    this.control = null;
    if (loseState) this.#controlDisk = { text: null };
  }

  /** What is on the control plane's disk now. */
  get controlDisk(): string | null {
    return this.#controlDisk.text;
  }

  /** An operator puts a backup in place of the state. */
  restoreControlDisk(text: string | null): void {
    this.#controlDisk = { text };
  }

  /** How much of the data set the node has saved. */
  savedBy(id: string): number {
    return this.#disks.get(id)?.data?.log.length ?? 0;
  }

  startNode(id: string): void {
    const [shard] = id.split('-');
    const node = new NodeModel({
      timeline: this.timeline,
      network: this.network,
      random: this.random,
      control: this.#host,
      peers: this.nodes,
      id,
      shard,
      disk: this.#disks.get(id) ?? null,
      onAcknowledged: (by, write, mode) => this.#onAcknowledged(by, write, mode),
    });
    this.nodes.set(id, node);
  }

  /** Lets time pass; a client of each shard tries a write on every node of it every 40 ms. */
  run(forMs: number): void {
    const endMs = this.timeline.nowMs + forMs;
    while (this.timeline.nowMs < endMs) {
      this.timeline.runUntil(Math.min(this.timeline.nowMs + 40, endMs), () => this.#check());
      this.#write();
    }
  }

  /** Runs until `condition` holds; throws after `withinMs`. */
  runUntil(what: string, withinMs: number, condition: () => boolean): number {
    const startMs = this.timeline.nowMs;
    while (!condition()) {
      if (this.timeline.nowMs - startMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      this.run(40);
    }
    return this.timeline.nowMs - startMs;
  }

  /** As {@link runUntil}, stopping at the very millisecond; clients wait meanwhile. */
  stepUntil(what: string, withinMs: number, condition: () => boolean): void {
    const endMs = this.timeline.nowMs + withinMs;
    while (!condition()) {
      if (this.timeline.nowMs > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      this.timeline.runUntil(this.timeline.nowMs + 0.25, () => this.#check());
    }
  }

  get shards(): string[] {
    return [...new Set([...this.nodes.values()].map((node) => node.shard))];
  }

  nodesOf(shard: string): NodeModel[] {
    return [...this.nodes.values()].filter((node) => node.shard === shard);
  }

  /** The node that may write now. */
  leaderOf(shard: string): NodeModel | undefined {
    return this.nodesOf(shard).find((node) => node.alive && !node.paused && node.mayWrite);
  }

  /** When, and by which node, a write of the shard was acknowledged last. */
  lastAck(shard: string): { atMs: number; by: string } {
    return this.#lastAck.get(shard) ?? { atMs: 0, by: '' };
  }

  /** Every node serves, is listed and in sync, by one document that all hold; nothing is under way. */
  get isWhole(): boolean {
    const document = this.control?.alive && !this.control.paused ? this.control.core.view().document : null;
    if (document == null) return false;
    const { shards } = this.control!.core.view();
    const settled = shards.every(
      ({ failover, leader, followers }) =>
        failover === null && [leader, ...followers].every((node) => node?.state === 'serving'),
    );
    if (!settled) return false;
    return [...this.nodes.values()].every((node) => {
      const shard = document.shards.find(({ name }) => name === node.shard)!;
      if (!node.alive || node.paused || node.document?.sha256 !== document.sha256) return false;
      if (node.name === shard.leader)
        return node.mayWrite && node.links.size === this.nodesOf(node.shard).length - 1;
      return shard.followers.includes(node.name) && node.synced;
    });
  }

  /** Acknowledged writes (of `mode`, from `sinceMs` on) that the shard's leader does not have. */
  lost(mode: 'leader' | 'replica', sinceMs = 0): number {
    let count = 0;
    for (const shard of this.shards) {
      const held = new Set(this.leaderOf(shard)?.log);
      for (const ack of this.acknowledged) {
        if (ack.shard === shard && ack.mode === mode && ack.atMs >= sinceMs && !held.has(ack.write)) count++;
      }
    }
    return count;
  }

  #write(): void {
    for (const node of this.nodes.values()) {
      if (!node.alive || node.paused) continue;
      const id = ++this.#writes;
      node.write(id, this.random.int(2) === 0 ? 'leader' : 'replica');
    }
  }

  #onAcknowledged(node: NodeModel, write: number, mode: 'leader' | 'replica'): void {
    if (!node.alive || node.paused) throw new Error(`${node.name} acknowledged while it does not run`);
    const key = `${node.shard} ${node.position.epoch}`;
    const leader = this.#leaderOfEpoch.get(key) ?? node.runId;
    if (leader !== node.runId) throw new Error(`two nodes acknowledged writes in shard ${key}`);
    this.#leaderOfEpoch.set(key, leader);
    this.acknowledged.push({ write, shard: node.shard, mode, atMs: this.timeline.nowMs });
    this.#lastAck.set(node.shard, { atMs: this.timeline.nowMs, by: node.name });
  }

  #check(): void {
    const writers = new Map<string, NodeModel>();
    for (const node of this.nodes.values()) {
      if (!node.alive || !node.mayWrite) continue;
      const other = writers.get(node.shard);
      if (other !== undefined) {
        throw new Error(
          `${other.name} (epoch ${other.position.epoch}) and ${node.name} (epoch ${node.position.epoch}) may both write`,
        );
      }
      writers.set(node.shard, node);
    }
  }

  #onPushed(document: RingDocument): void {
    const version = `${document.incarnation}/${document.epoch}`;
    const sha = this.#shaOfVersion.get(version) ?? document.sha256;
    if (sha !== document.sha256) throw new Error(`two contents for ring ${version}`);
    this.#shaOfVersion.set(version, sha);
  }
}
