import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';
import { FakeAgent } from './fake-agent.ts';

t.test(
  'kill -9 at any moment: the next process on the same folder goes on with what agents hold',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'ringside-control-'));
    t.teardown(() => rm(dir, { recursive: true }));
    const settings = [
      ...['--dir', dir, '--http-port', 'auto', '--grpc-port', 'auto'],
      ...['--set', 'controlPlane.formation={shards: 1, nodesPerShard: 1}'],
    ];
    let newest = { epoch: '0', sha256: '' };
    for (let round = 0; round < 4; round++) {
      const control = await startRingside(['control-plane', ...settings]);
      t.teardown(() => control.stop());
      const proxy = new FakeAgent(control.ready.grpc, { kind: 'PROXY', id: 'p' });
      const nodes = ['a', 'b', 'c'].map(
        (id) => new FakeAgent(control.ready.grpc, { id, shard: 's1' }, { runId: `${id}-${round}` }),
      );
      await until('a ring', () => proxy.document !== null);
      t.equal(proxy.document!.incarnation, '1', 'the state was not lost');
      t.ok(
        BigInt(proxy.document!.epoch) >= BigInt(newest.epoch),
        `epoch ${proxy.document!.epoch} >= ${newest.epoch}`,
      );
      if (proxy.document!.epoch === newest.epoch)
        t.equal(proxy.document!.sha256, newest.sha256, 'one content for one epoch');
      // From the second round on every node is a new process, which makes documents for a while.
      const pushes = round % 2 === 0 ? 1 : 2;
      await until('it is in the middle of it', () => proxy.all('push').length >= pushes, { everyMs: 1 });
      process.kill(control.pid, 'SIGKILL');
      await until('the streams end', () => proxy.ended !== null);
      newest = proxy.document!;
      for (const agent of [proxy, ...nodes]) agent.close();
    }
  },
);
