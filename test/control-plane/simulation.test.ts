import t from 'tap';
import {
  crashNode,
  type Fault,
  isolateNode,
  pauseNode,
  randomFault,
  randomOverlappingFault,
  restartNode,
} from './simulation/faults.ts';
import { World } from './simulation/world.ts';

/** `npm run test:long` sets it; by default a sample that takes a few seconds. */
const SEEDS = Number(process.env.RINGSIDE_LONG_SEEDS ?? (process.env.RINGSIDE_LONG ? 500 : 24));

const TARGET_DOWN_MS = 2000;
const MAX_DOWN_MS = 3000;

function wholeWorld(seed: number, options: ConstructorParameters<typeof World>[1]): World {
  const world = new World(seed, options);
  world.runUntil('first ring', 15_000, () => world.isWhole);
  world.transcript.length = 0;
  return world;
}

/** The story without times and without who attached when. */
function story(world: World): string {
  const lines = world.transcript.map((line) => line.trim().replace(/^\d+ {2}/, ''));
  return lines.filter((line) => !line.endsWith('attached')).join('\n');
}

t.test('a killed leader is replaced by a follower, and comes back as one', async (t) => {
  const world = wholeWorld(1, { nodesPerShard: 3 });
  const killedMs = world.timeline.nowMs;
  const fault = crashNode(world, 's1-1');
  world.runUntil('writes resume', MAX_DOWN_MS, () => world.lastAck('s1').by !== 's1-1');
  t.ok(world.lastAck('s1').atMs - killedMs < TARGET_DOWN_MS, 'writes resume in time');
  fault.repair();
  world.runUntil('whole', 10_000, () => world.isWhole);
  t.equal(world.lost('replica'), 0);
  t.equal(
    story(world),
    `-- s1-1 is killed
control plane: shard s1: sealing at epoch 2: leader s1-1 is silent
control plane: shard s1: s1-3 leads at epoch 2 instead of s1-1
-- s1-1 is started again, empty`,
  );
});

t.test('a leader that is stopped and wakes up acknowledges nothing', async (t) => {
  const world = wholeWorld(2, { nodesPerShard: 3 });
  const leader = world.leaderOf('s1')!;
  const fault = pauseNode(world, leader.name, 10_000);
  world.runUntil('another leads', MAX_DOWN_MS, () => world.lastAck('s1').by !== leader.name);
  fault.repair();
  world.runUntil('whole', 15_000, () => world.isWhole);
  t.not(world.leaderOf('s1')?.name, leader.name);
  t.equal(world.lost('replica'), 0);
});

t.test('a leader that only the control plane misses goes on', async (t) => {
  const world = wholeWorld(3, { nodesPerShard: 3 });
  const leader = world.leaderOf('s1')!;
  world.network.cut('control-plane', leader.name);
  world.run(20_000);
  t.equal(world.leaderOf('s1'), leader);
  t.equal(leader.position.epoch, 1);
  t.ok(world.timeline.nowMs - world.lastAck('s1').atMs < 200, 'writes never stopped');
  world.network.heal();
  world.runUntil('whole', 15_000, () => world.isWhole);
});

t.test('all of a control plane may be dead for as long as it likes', async (t) => {
  const world = wholeWorld(4, { shards: 2, nodesPerShard: 2 });
  world.crashControl();
  let longestGapMs = 0;
  for (let i = 0; i < 500; i++) {
    world.run(40);
    for (const shard of world.shards)
      longestGapMs = Math.max(longestGapMs, world.timeline.nowMs - world.lastAck(shard).atMs);
  }
  t.ok(longestGapMs < 400, `writes go on (longest gap ${longestGapMs} ms)`);
  world.startControl();
  world.runUntil('whole', 15_000, () => world.isWhole);
  t.notMatch(story(world), /sealing/);
});

t.test('a control plane that lost its state takes over without a dip', async (t) => {
  const world = wholeWorld(5, { shards: 2, nodesPerShard: 3 });
  const epochs = world.shards.map((shard) => world.leaderOf(shard)!.position.epoch);
  world.crashControl({ loseState: true });
  world.run(3000);
  world.startControl();
  let longestGapMs = 0;
  for (let i = 0; i < 200; i++) {
    world.run(40);
    for (const shard of world.shards)
      longestGapMs = Math.max(longestGapMs, world.timeline.nowMs - world.lastAck(shard).atMs);
  }
  t.ok(longestGapMs < 400, `writes go on (longest gap ${longestGapMs} ms)`);
  t.ok(world.isWhole);
  t.equal(world.control?.core.view().document?.incarnation, '2');
  t.same(
    world.shards.map((shard) => world.leaderOf(shard)!.position.epoch),
    epochs,
    'no shard changed its epoch',
  );
});

t.test('a control plane that starts from an old backup goes on above what the fleet holds', async (t) => {
  const world = wholeWorld(14, { shards: 2, nodesPerShard: 3 });
  const backup = world.controlDisk;
  crashNode(world, 's1-1');
  world.runUntil('another leads', 5000, () => world.lastAck('s1').by !== 's1-1');
  world.startNode('s1-1');
  world.runUntil('whole', 10_000, () => world.isWhole);
  const leader = world.leaderOf('s1')!;
  world.crashControl();
  world.restoreControlDisk(backup);
  world.startControl();
  world.runUntil('whole', 10_000, () => world.isWhole);
  t.equal(world.control?.core.view().document?.incarnation, '2');
  t.equal(world.leaderOf('s1'), leader, 'the leader of the newer document');
  t.equal(world.lost('replica'), 0);
});

t.test('a leader listed alone is waited for, because it may be renewing its own lease', async (t) => {
  const world = wholeWorld(6, { nodesPerShard: 2 });
  const leader = world.leaderOf('s1')!;
  const follower = world.nodesOf('s1').find((node) => node !== leader)!;
  crashNode(world, follower.name);
  world.runUntil('leader is alone', 5000, () => leader.position.listedFollowers.length === 0);
  const fault = isolateNode(world, leader.name);
  world.startNode(follower.name);
  world.run(40_000);
  t.equal(world.leaderOf('s1'), leader, 'it alone writes');
  t.match(story(world), /is silent but may be alone and renewing its own lease/);
  fault.repair();
  world.runUntil('whole', 15_000, () => world.isWhole);
  t.equal(world.leaderOf('s1'), leader);
});

t.test('a leader that never got its newer list is judged by the older one', async (t) => {
  const world = wholeWorld(7, { nodesPerShard: 2 });
  const leader = world.leaderOf('s1')!;
  const id = world.nodesOf('s1').find((node) => node !== leader)!.name;
  crashNode(world, id);
  world.runUntil('leader is alone', 5000, () => leader.position.listedFollowers.length === 0);
  world.startNode(id);
  // The follower is listed again in a document that does not reach the leader any more.
  const isListed = () => world.control!.core.view().document!.shards[0].followers.length === 1;
  world.stepUntil('listed again', 5000, isListed);
  t.same(leader.position.listedFollowers, []);
  isolateNode(world, leader.name);
  world.run(20_000);
  t.equal(world.leaderOf('s1'), leader, 'nobody else leads while it may renew alone');
  world.network.heal();
  world.runUntil('whole', 15_000, () => world.isWhole);
});

t.test('a follower in the middle of its first sync is not promoted', async (t) => {
  const world = wholeWorld(8, { nodesPerShard: 2 });
  const leader = world.leaderOf('s1')!;
  const id = world.nodesOf('s1').find((node) => node !== leader)!.name;
  crashNode(world, id);
  world.startNode(id);
  world.runUntil('it follows', 5000, () => leader.links.has(id));
  t.notOk(world.nodes.get(id)!.complete);
  crashNode(world, leader.name);
  world.run(20_000);
  t.equal(world.leaderOf('s1'), undefined, 'no node that lacks acknowledged writes leads');
  world.startNode(leader.name);
  world.runUntil('whole, empty', 15_000, () => world.isWhole);
  t.match(story(world), /no node holds its data/);
});

t.test('a control plane that dies between seal and promotion finishes it when it is back', async (t) => {
  for (const afterMs of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const world = wholeWorld(9, { nodesPerShard: 3 });
    crashNode(world, 's1-1');
    world.stepUntil('sealing', MAX_DOWN_MS, () => story(world).includes('sealing'));
    const sealingMs = world.timeline.nowMs;
    world.stepUntil('some time', MAX_DOWN_MS, () => world.timeline.nowMs >= sealingMs + afterMs);
    world.crashControl();
    world.run(300);
    world.startControl();
    world.runUntil('another leads', 6000, () => world.leaderOf('s1') !== undefined);
    t.equal(world.lost('replica'), 0);
  }
});

t.test('followers sealed for nothing follow their leader again at the next epoch', async (t) => {
  const world = wholeWorld(10, { nodesPerShard: 3 });
  const fault = pauseNode(world, 's1-1', 10_000);
  world.stepUntil('seals are in force', MAX_DOWN_MS, () =>
    world.nodesOf('s1').some((node) => node.sealedEpoch === 2),
  );
  world.crashControl();
  fault.repair();
  world.run(500);
  world.startControl();
  world.runUntil('whole', 15_000, () => world.isWhole);
  t.equal(world.leaderOf('s1')?.name, 's1-1', 'the same leader');
  t.equal(world.leaderOf('s1')?.position.epoch, 3, 'above the seals');
  t.equal(world.lost('replica') + world.lost('leader'), 0);
});

t.test('a leader that is started again at once is not mistaken for the one before', async (t) => {
  const world = wholeWorld(13, { nodesPerShard: 2, disks: true });
  const fault = restartNode(world, 's1-1');
  world.run(600);
  fault.repair();
  world.runUntil('whole', 15_000, () => world.isWhole);
  t.equal(world.leaderOf('s1')?.name, 's1-2', 'the follower has the data');
  t.equal(world.lost('replica'), 0);
});

t.test('an operator moves a leader without losing anything', async (t) => {
  const world = wholeWorld(11, { nodesPerShard: 3 });
  const ask = (to: string | null, shard = 's1') => {
    const { answers } = world.control!;
    const before = answers.length;
    world.control!.submit({ type: 'failover', request: before + 1, shard, to });
    world.runUntil('an answer', 5000, () => answers.length > before);
    return answers[before];
  };
  // It is behind by what the leader takes meanwhile.
  pauseNode(world, 's1-2', 400);
  world.run(100);
  t.same(ask('s1-2'), { ok: true, shard: 's1', leader: 's1-2', epoch: '2' });
  world.runUntil('whole', 5000, () => world.isWhole);
  t.equal(world.leaderOf('s1')?.name, 's1-2');
  t.equal(world.lost('replica') + world.lost('leader'), 0, 'nothing at all is lost');
  t.match(ask('s1-2'), { ok: false, code: 'conflict', message: /leads shard s1 already/ });
  t.match(ask('s9-1'), { ok: false, code: 'not_found' });
  t.match(ask(null, 's9'), {
    ok: false,
    code: 'not_found',
    message: /there is no shard s9; the ring has: s1/,
  });
  crashNode(world, 's1-1');
  world.run(2000);
  t.match(ask('s1-1'), { ok: false, code: 'conflict', message: /not a live and synced follower/ });
  crashNode(world, 's1-3');
  world.run(2000);
  t.match(ask(null), { ok: false, code: 'conflict', message: /no follower of shard s1 is live and synced/ });
});

t.test('a whole fleet that restarts begins empty, at higher epochs', async (t) => {
  const world = wholeWorld(12, { shards: 2, nodesPerShard: 2, disks: true });
  for (const id of [...world.nodes.keys()]) crashNode(world, id);
  world.crashControl();
  world.run(1000);
  world.startControl();
  for (const id of [...world.nodes.keys()]) world.startNode(id);
  const tookMs = world.runUntil('writes', 5000, () => world.shards.every((shard) => world.leaderOf(shard)));
  t.ok(tookMs < 2500, `serves after ${tookMs} ms`);
  world.runUntil('whole', 5000, () => world.isWhole);
  t.ok(world.shards.every((shard) => world.leaderOf(shard)!.position.epoch > 1));
});

t.test('a whole fleet that restarts goes on with the data set that goes furthest', async (t) => {
  const world = wholeWorld(15, { nodesPerShard: 3, savesData: true });
  world.run(5000);
  const ids = [...world.nodes.keys()];
  for (const id of ids) crashNode(world, id);
  const saved = ids.map((id) => world.savedBy(id));
  t.ok(new Set(saved).size > 1, `they saved at different times: ${saved}`);
  const last = ids[saved.indexOf(Math.max(...saved))];
  for (const id of ids) if (id !== last) world.startNode(id);
  world.run(10_000);
  t.equal(world.leaderOf('s1'), undefined, 'who may have more is waited for');
  world.startNode(last);
  world.runUntil('whole', 10_000, () => world.isWhole);
  t.equal(world.leaderOf('s1')?.name, last);
  t.ok(world.leaderOf('s1')!.log.length >= Math.max(...saved));
  t.notMatch(story(world), /no node holds its data/);

  for (const id of ids) crashNode(world, id);
  world.startNode('s1-1');
  world.runUntil('one is enough after a while', 40_000, () => world.leaderOf('s1') !== undefined);
});

t.test(`any single failure, ${SEEDS} seeds: nothing acknowledged by a follower is lost`, async (t) => {
  const downMs: number[] = [];
  let [faults, acknowledged, steps] = [0, 0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = wholeWorld(seed, {
      shards: 1 + (seed % 2),
      nodesPerShard: 2 + (seed % 3 === 0 ? 0 : 1),
      disks: seed % 4 === 0,
      savesData: seed % 4 === 1,
    });
    await guarded(t, seed, world, () => {
      for (let i = 0; i < 6; i++) {
        downMs.push(...failAndRepair(world));
        faults++;
      }
    });
    steps += world.timeline.steps;
    acknowledged += world.acknowledged.length;
  }
  t.ok(
    downMs.every((ms) => ms < MAX_DOWN_MS),
    `writes resume in time: at most ${Math.round(Math.max(...downMs))} ms`,
  );
  t.comment(
    `${faults} faults, ${downMs.length} leaders lost, ${acknowledged} acknowledged writes, ${steps} steps`,
  );
});

t.test(`several failures at a time, ${SEEDS} seeds: never two leaders, and it recovers`, async (t) => {
  let [acknowledged, steps] = [0, 0];
  for (let seed = 1001; seed <= 1000 + SEEDS; seed++) {
    const world = wholeWorld(seed, {
      shards: 1 + (seed % 2),
      nodesPerShard: 2 + (seed % 3 === 0 ? 0 : 1),
      disks: seed % 4 === 0,
      savesData: seed % 4 === 1,
    });
    await guarded(t, seed, world, () => chaos(world));
    t.ok(world.isWhole, `seed ${seed}`);
    steps += world.timeline.steps;
    acknowledged += world.acknowledged.length;
  }
  t.comment(`${acknowledged} acknowledged writes, ${steps} steps`);
});

/** Invariants are checked by the world at every step; a breach shows the seed and what led to it. */
async function guarded(t: Tap, seed: number, world: World, run: () => void): Promise<void> {
  try {
    run();
  } catch (error) {
    t.fail(`seed ${seed}: ${(error as Error).message}`, { story: world.transcript.slice(-40) });
  }
}

type Tap = Pick<typeof t, 'fail'>;

/** One failure, its repair, and the wait until all is whole. Returns how long writes stood still, if a leader was lost. */
function failAndRepair(world: World): number[] {
  const startMs = world.timeline.nowMs;
  const fault = randomFault(world);
  const downMs: number[] = [];
  if (fault.leader !== null && !fault.what.startsWith('pause')) {
    const [shard] = fault.leader.split('-');
    world.runUntil(`writes after ${fault.what}`, 6000, () => world.lastAck(shard).by !== fault.leader);
    downMs.push(world.timeline.nowMs - startMs);
  }
  world.run(world.random.next() * 8000);
  fault.repair();
  world.runUntil(`whole after ${fault.what}`, 20_000, () => world.isWhole);
  const lost = world.lost('replica');
  if (lost > 0) throw new Error(`${lost} acknowledged writes are lost after ${fault.what}`);
  return downMs;
}

function chaos(world: World): void {
  const faults: Fault[] = [];
  for (let i = 0; i < 25; i++) {
    if (faults.length < 4 && world.random.int(3) > 0) faults.push(randomOverlappingFault(world));
    world.run(world.random.next() * 2500);
    if (faults.length > 0 && world.random.int(2) === 0) {
      faults.splice(world.random.int(faults.length), 1)[0].repair();
    }
  }
  for (const fault of faults) fault.repair();
  world.runUntil('whole in the end', 60_000, () => world.isWhole);
}
