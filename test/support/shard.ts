import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { NodeFleet } from './node-fleet.ts';
import { RespClient } from './resp-client.ts';
import { type Ringside, startRingside } from './ringside.ts';
import { until } from './until.ts';

/** A node of a shard, and a connection to it. */
export interface Member {
  readonly id: string;
  readonly process: Ringside;
  readonly client: RespClient;
}

/** Nodes named `n1`, `n2`, … attached to a control plane of their own. */
export class Shard {
  readonly #t: Test;
  readonly fleet: NodeFleet;
  readonly dir: string;

  private constructor(t: Test, fleet: NodeFleet, dir: string) {
    this.#t = t;
    this.fleet = fleet;
    this.dir = dir;
  }

  static async start(t: Test): Promise<Shard> {
    const fleet = await NodeFleet.start();
    const dir = await mkdtemp(join(tmpdir(), 'ringside-node-'));
    t.teardown(async () => {
      fleet.stop();
      await rm(dir, { recursive: true, force: true });
    });
    return new Shard(t, fleet, dir);
  }

  /** Starts a node; the same id again is the same node restarted. */
  async node(id: string, ...args: string[]): Promise<Member> {
    this.fleet.nodes.delete(id);
    const where = ['--port', 'auto', '--admin-port', 'auto', '--dir', join(this.dir, id)];
    const fast = ['--set', 'node.replication.pingMs=50', '--set', 'node.replication.timeoutMs=20000'];
    const identity = ['--id', id, '--shard', 's1', '--control-plane', this.fleet.address];
    const process = await startRingside(['node', ...identity, ...where, ...fast, ...args]);
    this.#t.teardown(() => {
      process.kill('SIGCONT');
      return process.stop();
    });
    const client = new RespClient(process.ready.resp);
    this.#t.teardown(() => client.close());
    return { id, process, client };
  }

  /** n1 leads at shard epoch 1, the others follow; all are synced. */
  static async formed(t: Test, followers: number, ...args: string[]): Promise<[Shard, ...Member[]]> {
    const shard = await Shard.start(t);
    const ids = Array.from({ length: followers + 1 }, (_, i) => `n${i + 1}`);
    const members = await Promise.all(ids.map((id) => shard.node(id, ...args)));
    await Promise.all(ids.map((id) => shard.fleet.attached(id)));
    await shard.fleet.shape({ epoch: 1, leader: 'n1', followers: ids.slice(1) });
    await Promise.all(ids.map((id) => shard.fleet.synced(id)));
    await until(
      'the leader has its lease',
      async () => (await members[0].client.send('SET', 'formed', '1')) === 'OK',
    );
    await members[0].client.send('WAIT', String(followers), '10000');
    return [shard, ...members];
  }
}

/** Resolves once a node leads and has its lease. */
export const takesWrites = ({ client }: Pick<Member, 'client'>) =>
  until('it takes writes', async () => (await client.send('SET', 'probe', '1')) === 'OK');
