import t from 'tap';
import { ControlCore, type CoreEvent, type Effect } from '../../control-plane/core/index.ts';
import type { Heartbeat, Hello, ReplicationState } from '../../lib/codec/proto/index.ts';
import { type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import { coreOptions } from './simulation/world.ts';

/* The control plane's decisions, event by event, where the order matters more than a simulation would find. */

const TICK_MS = coreOptions.tickMs;
const BEAT_MS = coreOptions.heartbeatMs;

/** A node as the control plane hears it. */
interface Member {
  readonly id: string;
  readonly session: number;
  beats: boolean;
  role: 'LEADER' | 'FOLLOWER';
  synced: boolean;
  shardEpoch: string;
  sealedEpoch: string;
  leaderSilentMs: number;
}

/** A core, its clock, and nodes that beat for as long as they are told to. */
class Stage {
  readonly core: ControlCore;
  readonly effects: Effect[] = [];
  readonly members: Member[] = [];
  #nowMs = 0;
  #sessions = 0;

  constructor(nodesPerShard: number) {
    this.core = new ControlCore({ ...coreOptions, formation: { shards: 1, nodesPerShard } }, null, 0);
  }

  get shard(): RingDocument['shards'][number] {
    return this.core.view().document!.shards[0];
  }

  tell(event: CoreEvent): void {
    const effects = this.core.handle(event, this.#nowMs);
    this.effects.push(...effects);
    for (const effect of effects)
      if (effect.type === 'push') this.#acknowledge(effect.session, effect.document);
  }

  #acknowledge(session: number, { incarnation, epoch, sha256, shards }: RingDocument): void {
    const member = this.members.find((candidate) => candidate.session === session);
    if (member !== undefined && BigInt(member.sealedEpoch) <= BigInt(shards[0].epoch))
      member.shardEpoch = shards[0].epoch;
    this.tell({ type: 'ack', session, ack: { nonce: '1', incarnation, epoch, sha256 } });
  }

  greet(hello: Partial<Hello>): number {
    const session = ++this.#sessions;
    const defaults = { pid: 1, admin: '', resp: '', weight: 1, ringJson: '', sealedEpoch: '0' };
    const who = { kind: 'NODE', runId: `run-of-${hello.id}`, address: `${hello.id}:1`, shard: 's1' } as const;
    this.tell({ type: 'hello', session, hello: { ...defaults, ...who, ...hello } as Hello });
    return session;
  }

  join(id: string): Member {
    const state = { beats: true, role: 'FOLLOWER', synced: true, shardEpoch: '1' } as const;
    const member = { id, session: this.greet({ id }), ...state, sealedEpoch: '0', leaderSilentMs: 0 };
    this.members.push(member);
    return member;
  }

  replicationOf({ role, synced, shardEpoch }: Member): ReplicationState {
    const isSynced = synced || role === 'LEADER';
    return {
      replId: 'r',
      offset: '100',
      synced: isSynced,
      complete: true,
      streamEpoch: shardEpoch,
      restored: false,
    };
  }

  beat(member: Member): void {
    const { session, role, shardEpoch, sealedEpoch, leaderSilentMs } = member;
    const replication = this.replicationOf(member);
    const report = { role, shardEpoch, sealedEpoch, leaderSilentMs, replication, followers: [] };
    const heartbeat: Heartbeat = { ...report, seq: '1', state: 'SERVING', maxVersion: '0' };
    this.tell({ type: 'heartbeat', session, heartbeat });
  }

  answerSeal(member: Member, epoch: string): void {
    Object.assign(member, { synced: false, sealedEpoch: epoch });
    const sealed = { shard: 's1', epoch, replication: this.replicationOf(member), lastGrantAgoMs: 1000 };
    this.tell({ type: 'sealed', session: member.session, sealed });
  }

  run(forMs: number): void {
    for (const endMs = this.#nowMs + forMs; this.#nowMs < endMs; ) {
      this.#nowMs += TICK_MS;
      if (this.#nowMs % BEAT_MS === 0) for (const member of this.members) if (member.beats) this.beat(member);
      this.tell({ type: 'tick' });
    }
  }
}

t.test('a leader that is back after a long seal keeps its followers listed', async (t) => {
  const stage = new Stage(3);
  const [leader, sealed, slow] = ['n1', 'n2', 'n3'].map((id) => stage.join(id));
  leader.role = 'LEADER';
  stage.run(1000);
  t.match(stage.shard, { leader: 'n1', followers: ['n2', 'n3'] });

  leader.beats = false;
  for (const follower of [sealed, slow]) follower.leaderSilentMs = 5000;
  stage.run(1250);
  t.ok(stage.effects.some(({ type }) => type === 'seal'));
  stage.answerSeal(sealed, '2');
  // The disk of the other is slow: its answer is waited for.
  stage.run(1250);
  leader.beats = true;
  stage.run(500);
  t.match(stage.shard, { leader: 'n1', epoch: '3', followers: ['n2', 'n3'] });
  stage.run(1500);
  t.match(stage.shard, { leader: 'n1', followers: ['n3'] }, 'but not for ever');
});

t.test(
  'with its state lost, the control plane does not adopt a ring that a proxy has from elsewhere',
  async (t) => {
    const documentOf = (epoch: string, shard: string, id: string, incarnation = '1') =>
      sealDocument({
        ...{ incarnation, epoch, virtualNodes: 8, leaseMs: 1000 },
        shards: [{ name: shard, weight: 1, epoch: '1', leader: id, followers: [] }],
        nodes: [{ id, runId: `run-of-${id}`, shard, address: `${id}:1`, admin: '' }],
      });
    const own = JSON.stringify(documentOf('5', 's1', 'n1'));
    for (const [shard, id] of [
      ['other', 'x1'],
      ['s1', 'x1'],
    ]) {
      const stage = new Stage(1);
      stage.greet({ kind: 'PROXY', id: 'p', ringJson: JSON.stringify(documentOf('9', shard, id, '7')) });
      stage.greet({ id: 'n1', ringJson: own });
      stage.run(coreOptions.collectMs + 100);
      t.match(stage.shard, { name: 's1', leader: 'n1' });
      t.equal(stage.core.view().document?.incarnation, '8', 'above what the proxy has, so that it takes it');
    }
    const stage = new Stage(1);
    stage.greet({ kind: 'PROXY', id: 'p', ringJson: JSON.stringify(documentOf('9', 's1', 'n1')) });
    stage.greet({ id: 'n1', ringJson: own });
    stage.run(coreOptions.collectMs + 100);
    t.ok(BigInt(stage.core.view().document!.epoch) >= 9n, 'one of this fleet is adopted, whoever has it');
  },
);

t.test('the first ring is led by who has most on its disk', async (t) => {
  const stage = new Stage(4);
  const found = { replId: 'r', synced: false, restored: true };
  stage.greet({ id: 'n1', replication: { ...found, complete: false, offset: '0', streamEpoch: '0' } });
  stage.greet({ id: 'n2', replication: { ...found, complete: true, offset: '900', streamEpoch: '2' } });
  stage.greet({ id: 'n3', replication: { ...found, complete: true, offset: '500', streamEpoch: '3' } });
  stage.greet({ id: 'n4', replication: { ...found, complete: true, offset: '499', streamEpoch: '3' } });
  stage.run(100);
  t.match(stage.shard, { leader: 'n3', followers: [] });
});
