import t from 'tap';
import type { ControlCore, Effect, StateRecord } from '../../control-plane/core/index.ts';
import { type AgentPort, Driver } from '../../control-plane/driver.ts';
import { MemoryStateStore } from '../../control-plane/state/memory.ts';
import type { StateStore } from '../../control-plane/state/store.ts';
import { ManualClock, RingsideError, silentLogger } from '../../lib/base/index.ts';
import { type RingDocument, sealDocument } from '../../lib/ring/index.ts';
import { until } from '../support/until.ts';

function document(epoch: number): RingDocument {
  const shards = [{ name: 's1', weight: 1, epoch: '1', leader: 'a', followers: [] }];
  const nodes = [{ id: 'a', runId: 'r', shard: 's1', address: 'a:1', admin: '' }];
  return sealDocument({
    incarnation: '1',
    epoch: String(epoch),
    virtualNodes: 8,
    leaseMs: 1000,
    shards,
    nodes,
  });
}

function persist(epoch: number): Effect {
  const record: StateRecord = { document: document(epoch), lists: { s1: [] } };
  return { type: 'persist', record };
}

const push = (epoch: number, session: number): Effect => ({
  type: 'push',
  session,
  document: document(epoch),
});
const grant: Effect = { type: 'grant', session: 1, seq: '7', granted: true, shardEpoch: '1' };
const answer: Effect = {
  type: 'answer',
  request: 1,
  answer: { ok: true, shard: 's1', leader: 'a', epoch: '1' },
};

/** A driver whose core asks for exactly the given effects, and a log of what it does. */
function driverOf(store: StateStore, ...batches: Effect[][]) {
  const done: string[] = [];
  const core = { handle: () => batches.shift() ?? [], view: () => null } as unknown as ControlCore;
  const port: AgentPort = {
    welcome: () => {},
    push: (session, { epoch }) => done.push(`push ${epoch} to ${session}`),
    seal: (session, shard, epoch) => done.push(`seal ${shard} ${epoch} at ${session}`),
    grant: (session, { seq }) => done.push(`grant ${seq} to ${session}`),
    refuse: (session) => done.push(`refuse ${session}`),
  };
  const logged: StateStore = {
    load: () => store.load(),
    save: async (text, expected) => {
      const version = await store.save(text, expected);
      done.push(`stored ${JSON.parse(text).document.epoch}`);
      return version;
    },
    close: () => store.close(),
  };
  const options = { core, clock: new ManualClock(), port, log: silentLogger, tickMs: 60_000, version: 0n };
  return { driver: new Driver({ ...options, store: logged }), done };
}

/** Fails the first saves with these errors. */
function failing(...errors: Error[]): StateStore {
  const store = new MemoryStateStore();
  return {
    load: () => store.load(),
    save: async (text, expected) => {
      const error = errors.shift();
      if (error) throw error;
      return store.save(text, expected);
    },
    close: () => store.close(),
  };
}

t.test('nothing is pushed before its state is stored; leases do not wait', async (t) => {
  const { driver, done } = driverOf(
    new MemoryStateStore(),
    [persist(1), push(1, 1), push(1, 2), grant],
    [persist(2), push(2, 1)],
    [push(2, 2)],
  );
  for (let i = 0; i < 3; i++) driver.submit({ type: 'tick' });
  t.same(done, ['grant 7 to 1']);
  await until('all is done', () => done.includes('push 2 to 2'));
  t.equal(done[1], 'stored 1');
  for (const epoch of [1, 2]) {
    const pushed = done.findIndex((what) => what.startsWith(`push ${epoch}`));
    t.ok(done.indexOf(`stored ${epoch}`) < pushed, `document ${epoch}`);
  }
  t.equal(done.length, 7);
  await driver.close();
});

t.test('pushes of one event all go out, also without anything to store', async (t) => {
  const { driver, done } = driverOf(new MemoryStateStore(), [push(1, 1), push(1, 2), push(1, 3)]);
  driver.submit({ type: 'tick' });
  t.same(done, ['push 1 to 1', 'push 1 to 2', 'push 1 to 3']);
  await driver.close();
});

t.test('while the disk fails it is tried again, and pushes wait', async (t) => {
  const { driver, done } = driverOf(
    failing(new Error('no space'), new Error('no space')),
    [persist(1), push(1, 1)],
    [grant],
  );
  driver.submit({ type: 'tick' });
  await until('the failure shows', () => !driver.isStateSafe);
  driver.submit({ type: 'tick' });
  t.same(done, ['grant 7 to 1'], 'leases go on');
  await until('it is pushed', () => done.includes('push 1 to 1'));
  t.same(done, ['grant 7 to 1', 'stored 1', 'push 1 to 1']);
  t.equal(driver.stats.persistFailures, 2);
  t.ok(driver.isStateSafe);
  await driver.close();
});

t.test('another writer of the state ends it', async (t) => {
  const { driver, done } = driverOf(
    failing(new RingsideError('conflict')),
    [persist(1), push(1, 1)],
    [grant],
  );
  let gaveUp = false;
  driver.onFatal = () => {
    gaveUp = true;
  };
  driver.submit({ type: 'tick' });
  await until('it gives up', () => gaveUp);
  driver.submit({ type: 'tick' });
  t.same(done, [], 'not even a lease any more');
  await driver.close();
});

t.test('a request is answered by the core, or by the end of the process', async (t) => {
  const { driver } = driverOf(new MemoryStateStore(), [persist(1), answer], []);
  t.match(await driver.failover('s1', null), { ok: true, leader: 'a' });
  const open = driver.failover('s1', null);
  await driver.close();
  t.match(await open, { ok: false, code: 'unavailable' });
});

t.test('an event that cannot be handled does not end the process', async (t) => {
  const { driver, done } = driverOf(new MemoryStateStore(), [grant]);
  const broken = { type: 'hello', session: 1, hello: null } as never;
  const core = {
    handle: () => {
      throw new Error('a defect');
    },
    view: () => null,
  } as unknown as ControlCore;
  const other = new Driver({
    core,
    clock: new ManualClock(),
    port: {} as AgentPort,
    log: silentLogger,
    tickMs: 60_000,
    version: 0n,
    store: new MemoryStateStore(),
  });
  other.submit(broken);
  driver.submit({ type: 'tick' });
  t.same(done, ['grant 7 to 1']);
  await Promise.all([driver.close(), other.close()]);
});
