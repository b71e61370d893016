import t from 'tap';
import { ManualClock, seededRandom, silentLogger } from '../../lib/base/index.ts';
import { argsOf } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { runExpiryCycle } from '../../node/active-expiry.ts';
import type { Keyspace } from '../../node/keyspace.ts';
import { buildNode } from '../../node/node.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { type Command, pick } from './differential/base.ts';
import { topics } from './differential/index.ts';

/* What a node says it takes is the sum of what its entries take, whatever commands ran; and nothing once they are gone. */

const COMMANDS = 12_000;
const CHECK_EVERY = 500;
const STEP_MS = 10;
/** What an empty database still charges: its policy's queue and wheel. */
const EMPTY_BYTES = 4096;
const EXCLUDED =
  /^(HELLO|AUTH|CLIENT|CONFIG|WAIT|SELECT|MULTI|EXEC|WATCH|DEBUG|QUIT|RESET|FLUSH.*|P?S?SUBSCRIBE|B[LRZ].*)$/;

const seed = Number(process.env.SEED ?? 20261121);
const random = seededRandom(seed);
const clock = new ManualClock({ wallMs: 1_800_000_000_000 });
const config = configFrom({ node: { standalone: true, adminPort: 'off', maxMemoryBytes: '1gb' } });
const node = buildNode(config, { clock, random: seededRandom(seed), log: silentLogger });
node.services.shard.leads = true;
node.services.shard.complete = true;
const client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });
const reply = new ReplyWriter();

function run(...parts: Command): void {
  node.executor.beginTurn();
  node.executor.execute(client, argsOf(...parts.map((part) => Buffer.from(part))), reply);
  node.executor.endTurn();
  reply.take();
  reply.rewind();
}

const numbers = () => Array.from({ length: 1 + random.int(900) }, (_, i) => String(i % 5 ? i : i + 0.5));

/** Collections beyond their compact form, which grow, shrink, go and carry marks. */
const large: readonly ((key: string) => Command)[] = [
  (key) => ['SADD', key, ...numbers()],
  (key) => ['HSET', key, ...numbers().flatMap((text) => [text, text])],
  (key) => ['RPUSH', key, ...numbers()],
  (key) => ['ZADD', key, ...numbers().flatMap((text) => [text, text])],
  (key) => ['SREM', key, ...numbers()],
  (key) => ['SPOP', key, '100'],
  (key) => ['DEL', key],
  (key) => ['PEXPIRE', key, '50'],
  (key) => ['RENAME', key, `q${random.int(100)}`],
  (key) => ['RS.SET', key, 'v', 'FLAGS', '3', 'TAGS', '1', `t${random.int(9)}`],
];

function expire(): void {
  clock.advance(STEP_MS);
  for (const keyspace of node.databases.all()) runExpiryCycle(keyspace, clock);
}

/** Bytes of all entries, of those of space 0, which are all, and their number: as counted one by one. */
function counted({ store }: Keyspace): number[] {
  let [bytes, entries] = [0, 0];
  for (let cursor = -1; cursor !== 0; ) {
    cursor = store.scan(Math.max(0, cursor), (slot) => {
      bytes += store.bytesOf(slot);
      entries++;
    });
  }
  return [bytes, bytes, entries];
}

function keysOf({ store }: Keyspace): Buffer[] {
  const keys: Buffer[] = [];
  for (let cursor = -1; cursor !== 0; ) {
    cursor = store.scan(Math.max(0, cursor), (slot) => keys.push(Buffer.from(store.keyOf(slot), 'latin1')));
  }
  return keys;
}

/** Ways for every entry to go. */
const ends: Readonly<Record<string, (key: Buffer) => Command>> = {
  FLUSHALL: () => ['FLUSHALL'],
  DEL: (key) => ['DEL', key],
  expiry: (key) => ['PEXPIRE', key, '1'],
};

for (const [name, end] of Object.entries(ends)) {
  t.test(`counters until ${name}, seed ${seed}`, async (t) => {
    for (let i = 1; i <= COMMANDS; i++) {
      const isLarge = random.int(4) === 0;
      const command = isLarge
        ? pick(random, large)(`q${random.int(100)}`)
        : topics[pick(random, Object.keys(topics))](random);
      if (!EXCLUDED.test(String(command[0]).toUpperCase())) run(...command);
      if (i % CHECK_EVERY > 0) continue;
      expire();
      for (const keyspace of node.databases.all()) {
        const { store } = keyspace;
        const said = [store.usedBytes, store.spaceBytes(0), store.size];
        t.same(said, counted(keyspace), `database ${keyspace.index} after ${i}`);
      }
    }
    for (const keyspace of [...node.databases.all()]) {
      run('SELECT', String(keyspace.index));
      for (const key of keysOf(keyspace)) run(...end(key));
    }
    run('SELECT', '0');
    while (node.databases.size > 0) expire();
    t.equal(node.databases.usedBytes, 0);
    t.equal(node.databases.data.cache.tagBudget.usedBytes, 0, 'tags');
    for (const { store } of node.databases.all()) {
      t.equal(store.bytesByClass.objects, 0);
      t.ok(store.chargedBytes < EMPTY_BYTES, `${store.chargedBytes} bytes charged`);
    }
  });
}
