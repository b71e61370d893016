import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { request } from 'undici';
import { type FleetRequest, planFleet } from '../../cli/dev/plan.ts';
import { renderWelcome } from '../../cli/dev/welcome.ts';
import { configFrom } from '../../lib/config/index.ts';
import { type ClusterStatus, calm, DevCluster } from '../support/dev-cluster.ts';
import { RespClient } from '../support/resp-client.ts';
import { runRingside, startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

const defaults: FleetRequest = { portOffset: 0, shards: 3, followers: 1, proxies: 1 };

t.test('the welcome as JSON is the ready line', async (t) => {
  const members = planFleet(configFrom({}), { ...defaults, followers: 0, shards: 1 }, '/d');
  const started = members.map((member) => ({ member, listeners: { http: `${member.name}:1` } }));
  const text = renderWelcome(started, { request: defaults, folder: '/d', isTemporary: false, json: true });
  t.equal(text, '{"ready":{"http":"proxy-0:1","control-plane.http":"control-plane:1"}}\n');
});

t.test('ports and names', async (t) => {
  const members = planFleet(configFrom({}), { ...defaults, portOffset: 100, proxies: 2 }, '/d');
  t.same(
    members.map(({ name, ports }) => [name, ...ports.map(({ port }) => port)]),
    [
      ['control-plane', 7500, 7501],
      ['shard-1-0', 7601, 7701],
      ['shard-1-1', 7602, 7702],
      ['shard-2-0', 7603, 7703],
      ['shard-2-1', 7604, 7704],
      ['shard-3-0', 7605, 7705],
      ['shard-3-1', 7606, 7706],
      ['proxy-0', 7479, 7411, 7480, 7481, 7490],
      ['proxy-1', 8479, 8411, 8480, 8481, 8490],
    ],
  );
  t.match(members[0].settings, { 'controlPlane.formation': { shards: 3, nodesPerShard: 2 } });
  t.match(members[1].settings, {
    'node.shard': 'shard-1',
    'node.controlPlane': '127.0.0.1:7501',
    'node.port': 7601,
  });
  t.match(members[1].ports[0], { host: '127.0.0.1', setting: 'node.port' });
  const own = configFrom({ proxy: { memcachedPort: 'off', respPort: 6379 }, node: { requirePass: 'x' } });
  const proxy = planFleet(own, defaults, '/d').at(-1)!;
  t.match(proxy.settings, {
    'proxy.memcachedPort': 'off',
    'proxy.respPort': 6379,
    'proxy.nodePassword': 'x',
  });
  t.throws(() => planFleet(configFrom({}), { ...defaults, shards: 100 }, '/d'), /are 200 nodes/);
  t.throws(() => planFleet(configFrom({}), { ...defaults, portOffset: 58_000 }, '/d'), /leads to port 65606/);
});

const pidsOf = ({ shards, proxies, controlPlane }: ClusterStatus) => [
  ...shards.flatMap(({ leader, followers }) => [
    ...(leader ? [leader.pid] : []),
    ...followers.map(({ pid }) => pid),
  ]),
  ...proxies.map(({ pid }) => pid),
  ...controlPlane.map(({ pid }) => pid),
];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

t.test('a whole cluster', async (t) => {
  const cluster = await DevCluster.start('--shards', '2', '--proxies', '2', ...calm());
  t.after(() => cluster.stop());
  const whole = await cluster.whole(2, 1);
  const pids = pidsOf(whole);
  t.equal(new Set([...pids, cluster.process.pid]).size, 8, 'every role is a process of its own');
  t.match(cluster.process.ready, {
    resp: cluster.at(7379),
    http: cluster.at(7380),
    grpc: cluster.at(7381),
    admin: cluster.at(7390),
    'proxy-1.resp': cluster.at(8379),
    'control-plane.http': cluster.at(7400),
  });
  const addresses = whole.shards.flatMap(({ leader, followers }) => [
    leader!.address,
    ...followers.map(({ address }) => address),
  ]);
  t.same(
    addresses,
    [7501, 7502, 7503, 7504].map((port) => cluster.at(port)),
    'in order of shard, the leader first',
  );

  await t.test('one key is the same through every door', async (t) => {
    const client = new RespClient(cluster.at(8379));
    t.equal(await client.send('SET', 'greeting', 'hello'), 'OK');
    client.socket.destroy();
    const { body } = await request(`http://${cluster.at(7380)}/v1/key/greeting`);
    t.equal(await body.text(), 'hello');
  });

  const ctl = async (...args: string[]) => {
    const done = await runRingside([
      'ctl',
      ...args,
      '--json',
      '--control-plane',
      `http://${cluster.at(7400)}`,
    ]);
    return { ...done, answer: JSON.parse(done.stdout) };
  };

  await t.test('ctl', async (t) => {
    const node = {
      id: String,
      pid: Number,
      address: String,
      admin: String,
      state: 'serving',
      offset: /^\d+$/,
      lagMs: Number,
    };
    t.match((await ctl('status')).answer, {
      ring: { incarnation: /^\d+$/, epoch: /^\d+$/, sha256: /^[0-9a-f]{64}$/ },
      shards: [
        { name: 'shard-1', weight: 1, epoch: '1', leader: node, followers: [node] },
        { name: 'shard-2' },
      ],
      proxies: [
        { id: 'proxy-0', pid: Number, resp: cluster.at(7379), ackedEpoch: whole.ring.epoch },
        { id: 'proxy-1' },
      ],
      controlPlane: [{ pid: Number, leader: true }],
    });
    t.match((await ctl('ring')).answer, {
      epoch: whole.ring.epoch,
      shards: [{ name: 'shard-1' }, { name: 'shard-2' }],
    });
    const route = (await ctl('route', 'greeting')).answer;
    t.match(route, {
      key: 'greeting',
      hash: 'e07185626522734c',
      shard: /^shard-[12]$/,
      leader: node,
      followers: [node],
      epoch: '1',
      l1: {},
    });
    const missing = await ctl('failover', 'shard-9');
    t.equal(missing.code, 1);
    t.match(missing.answer, { error: { code: 'not_found', message: String } });
    const done = await ctl('failover', 'shard-1');
    t.equal(done.code, 0, done.stdout);
    const after = await cluster.whole(2, 1);
    t.equal(after.shards[0].leader!.id, 'shard-1-1');
    const text = await runRingside(['ctl', 'status', '--control-plane', `http://${cluster.at(7400)}`]);
    t.match(text.stdout, /shard-1 +\d+ +leader +shard-1-1/);
  });

  await t.test('a taken port is one sentence that names it and its setting', async (t) => {
    const second = await runRingside(['dev', '--port-offset', String(cluster.offset)]);
    t.equal(second.code, 1);
    const port = 7400 + cluster.offset;
    t.equal(
      second.stderr,
      `ringside: port ${port} on 127.0.0.1 is taken (setting controlPlane.httpPort); --port-offset N moves all ports.\n`,
    );
  });

  await t.test('what dies stays dead', async (t) => {
    const victim = (await cluster.status()).shards[1].followers[0];
    process.kill(victim.pid, 'SIGKILL');
    const said = `${victim.id} (pid ${victim.pid}) ended: SIGKILL\n`;
    await until('dev says so', () => cluster.process.stderr().includes(said));
    t.notMatch(cluster.process.stderr(), 'starting it again');
  });

  await t.test('Ctrl-C ends all of it', async (t) => {
    cluster.process.kill('SIGINT');
    t.equal(await cluster.process.ended, 'code 0');
    t.same(pids.filter(isAlive), []);
    t.ok(existsSync(join(cluster.dir, 'control-plane')), 'the folder of --dir stays');
    const other = await runRingside(['dev', '--port-offset', String(cluster.offset), '--dir', cluster.dir]);
    t.equal(other.code, 1);
    t.match(other.stderr, /holds a ring of --shards 2; give that, or another --dir\.\n$/);
  });
});

t.test('--restart brings back what died', async (t) => {
  const cluster = await DevCluster.start('--shards', '1', '--restart');
  t.after(() => cluster.stop());
  const [before] = (await cluster.whole(1, 1)).shards;
  process.kill(before.followers[0].pid, 'SIGKILL');
  await until('another process has its place', async () => {
    const [shard] = (await cluster.status()).shards;
    const node = shard.followers.find(({ id }) => id === before.followers[0].id);
    return node && node.pid !== before.followers[0].pid && node.state === 'serving';
  });
});

t.test('children end with dev, also when it is killed, and take the temporary folder along', async (t) => {
  // Its ports are those of a cluster that has just ended.
  const probe = await DevCluster.start('--shards', '1', '--followers', '0');
  const { offset } = probe;
  await probe.stop();
  const dev = await startRingside([
    'dev',
    '--port-offset',
    String(offset),
    '--shards',
    '1',
    '--followers',
    '0',
  ]);
  const { body } = await request(`http://${dev.ready['control-plane.http']}/v1/status`);
  const pids = pidsOf((await body.json()) as ClusterStatus);
  const folder = await until(
    'the welcome',
    () => /state in (\S+), removed at the end/.exec(dev.stdout())?.[1],
  );
  t.equal(pids.length, 3);
  t.ok(existsSync(folder));
  dev.kill('SIGKILL');
  await until('all have ended', () => !pids.some(isAlive));
  await until('the folder is gone', () => !existsSync(folder));
});
