import t from 'tap';
import { Leeway } from '../../node/leeway.ts';
import { MemoryStore } from '../../node/store/index.ts';

/* How far a node with plenty of room may go without looking at its budget again. */

const MIB = 2 ** 20;

function set(store: MemoryStore, key: string, bytes: number): void {
  const name = Buffer.from(key);
  const slot = store.find(name, 0, name.length) || store.insert(name, 0, name.length);
  store.setBytes(slot, Buffer.alloc(bytes), 0, bytes);
}

t.test('sixteen writes, within what the store has and the same budget', async (t) => {
  const store = new MemoryStore({ hashSeed: 1 });
  const other = new MemoryStore({ hashSeed: 2 });
  const leeway = new Leeway();
  t.notOk(leeway.covers(store, 100 * MIB), 'nobody has looked');
  leeway.grant(store, 100 * MIB);
  t.notOk(leeway.covers(other, 100 * MIB));
  t.notOk(leeway.covers(store, 99 * MIB));
  for (let i = 0; i < 16; i++) {
    set(store, `key${i}`, 100);
    t.ok(leeway.covers(store, 100 * MIB), `write ${i}`);
  }
  t.notOk(leeway.covers(store, 100 * MIB));
  leeway.grant(other, 100 * MIB);
  t.notOk(leeway.covers(store, 100 * MIB));
  t.ok(leeway.covers(other, 100 * MIB));
});

t.test('what one command has taken is noticed before the next', async (t) => {
  const store = new MemoryStore({ hashSeed: 1 });
  const leeway = new Leeway();
  leeway.grant(store, 100 * MIB);
  set(store, 'large', 60_000);
  t.ok(leeway.covers(store, 100 * MIB));
  set(store, 'large', 70_000);
  t.notOk(leeway.covers(store, 100 * MIB));
});
