import t from 'tap';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { DataSet } from '../../node/data-set.ts';
import { Databases } from '../../node/databases.ts';
import { Replayer } from '../../node/replication/replayer.ts';
import { ReplicationLog } from '../../node/replication/replication-log.ts';
import { StreamApplier } from '../../node/replication/stream-applier.ts';
import type { NodeServices } from '../../node/services.ts';
import { HASH, MemoryStore } from '../../node/store/index.ts';
import { HashValue } from '../../node/values/index.ts';

/* A follower executes a command a little later than its leader did: what had not expired there must not have expired here. */

const KEY = Buffer.from('h');

t.test('a command reaches a key whose time has run out meanwhile', async (t) => {
  const data = new DataSet(new ReplicationLog({ backlogBytes: 1e6, replId: 'r' }));
  data.removesExpired = false;
  const databases = new Databases({ count: 1, data, newStore: () => new MemoryStore({ hashSeed: 3 }) });
  // A replayed command asks the node for nothing but the time.
  const node = { clock: { monotonicMs: () => 0 } } as unknown as NodeServices;
  const applier = new StreamApplier(databases, new Replayer(databases, node));
  const keyspace = databases.at(0);
  const { store } = keyspace;

  data.nowMs = 1000;
  applier.apply(argsOf('HSET', 'h', 'a', '1'));
  applier.apply(argsOf('PEXPIREAT', 'h', '2000'));
  t.not(keyspace.find(KEY, 0, 1), 0);

  data.nowMs = 3000;
  t.equal(keyspace.find(KEY, 0, 1), 0, 'it is hidden');
  applier.apply(argsOf('HSET', 'h', 'b', '2'));
  t.equal(store.size, 1);
  const slot = store.find(KEY, 0, 1);
  t.equal(store.typeOf(slot), HASH);
  t.equal(HashValue.open(keyspace, slot).size, 2, 'the field was added to what was there');
  t.equal(store.expiresAt(slot), 2000);
  t.equal(keyspace.find(KEY, 0, 1), 0, 'and it is hidden still');

  applier.apply(argsOf('DEL', 'h'));
  t.equal(store.size, 0, 'until the leader says that it goes');
});
