import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { ChunkList } from '../../node/values/chunk-list.ts';
import { HashPartition } from '../../node/values/hash-partition.ts';
import { MemberTable } from '../../node/values/member-table.ts';
import { OrderedTable } from '../../node/values/ordered-table.ts';

/* What large collections stand on: hashes that collide, space that is won back, memory that is given back. */

const seed = Number(process.env.SEED ?? 20261121);
const bytes = (text: string) => Buffer.from(text, 'latin1');

function give(zset: OrderedTable, score: number, member: Buffer): void {
  zset.scoreOf(member, 0, member.length);
  zset.place(score, member, 0, member.length);
}

t.test('a partition keeps pairs in the order of their hashes, however these collide', async (t) => {
  const hashesOf: Record<string, (roll: number) => number> = {
    spread: (roll) => (roll * 0x9e3779b1) | 0,
    'all the same': () => 77,
    'all the last': () => 0x7fffffff,
    'all the first': () => 0x80000000 | 0,
    'a few': (roll) => ((roll % 5) << 29) | 0,
    'close together': (roll) => 1_000_000 + (roll % 300),
  };
  for (const [name, hashOf] of Object.entries(hashesOf)) {
    const random = seededRandom(seed);
    const partition = new HashPartition(0, 0);
    const naive: { hash: number; ref: number }[] = [];
    for (let step = 1; step <= 6000; step++) {
      const isGrowing = Math.floor(step / 2000) % 2 === 0;
      if (naive.length > 0 && random.int(10) < (isGrowing ? 2 : 8)) {
        const [gone] = naive.splice(random.int(naive.length), 1);
        let place = partition.seek(gone.hash);
        while (partition.words[2 * place + 1] !== gone.ref) place++;
        partition.removeAt(place);
      } else {
        const hash = hashOf(random.u32());
        partition.insert(hash, step);
        naive.push({ hash, ref: step });
      }
      if (partition.count !== naive.length) t.fail(`${name}, step ${step}: ${partition.count} pairs`);
      if (step % 500 > 0) continue;
      const found: { hash: number; ref: number }[] = [];
      for (let place = 0; place < partition.places; place++) {
        const ref = partition.words[2 * place + 1];
        if (ref !== 0) found.push({ hash: partition.words[2 * place], ref });
      }
      naive.sort((a, b) => a.hash - b.hash || a.ref - b.ref);
      t.same(found, naive, `${name}, step ${step}`);
    }
  }
});

t.test('a table in which values of all lengths come and go does not grow', async (t) => {
  const random = seededRandom(seed + 1);
  const table = new MemberTable('bytes', 5);
  const fields = 5000;
  let live = 0;
  const lengths = new Map<string, number>();
  for (let step = 0; step < 200_000; step++) {
    const field = `field${random.int(fields)}`;
    const length = random.int(200);
    const ref = table.find(bytes(field), 0, field.length);
    if (ref === 0) table.insert(bytes(field), 0, field.length, length);
    else if (table.payloadEnd - table.keyEnd !== length) table.replace(ref, length);
    table.bytes.fill(length, table.keyEnd, table.payloadEnd);
    table.tidy();
    live += length - (lengths.get(field) ?? -field.length - 2);
    lengths.set(field, length);
    if (step % 20_000 !== 19_999) continue;
    t.ok(table.reservedBytes < 1.4 * live + 20 * fields, `${table.reservedBytes} bytes for ${live}`);
  }
  let seen = 0;
  table.forEach(() => {
    const field = table.bytes.latin1Slice(table.keyStart, table.keyEnd);
    const length = lengths.get(field);
    const isRight =
      table.payloadEnd - table.keyEnd === length &&
      table.bytes.subarray(table.keyEnd, table.payloadEnd).every((byte) => byte === length);
    if (isRight) seen++;
  });
  t.equal(seen, lengths.size, 'every field has its value');
});

t.test('what shrinks gives its memory back', async (t) => {
  const members = Array.from({ length: 100_000 }, (_, i) => bytes(`member:${(i * 7919) % 100_000}`));
  const table = new MemberTable('nothing', 5);
  const zset = new OrderedTable(5);
  const list = new ChunkList();
  const queue = new ChunkList();
  const pairs = [
    {
      name: 'table',
      bytes: () => table.reservedBytes,
      add: (member: Buffer) => {
        table.find(member, 0, member.length);
        table.insert(member, 0, member.length, 0);
        table.tidy();
      },
      remove: (member: Buffer) => {
        table.remove(table.find(member, 0, member.length));
        table.tidy();
      },
    },
    {
      name: 'sorted set',
      bytes: () => zset.bytes,
      add: (member: Buffer) => give(zset, member.length * 7, member),
      remove: (member: Buffer) => zset.delete(member, 0, member.length),
    },
    {
      name: 'list',
      bytes: () => list.bytes,
      add: (member: Buffer) => list.push(true, member, 0, member.length),
      remove: () => list.remove(list.size >> 1, 1),
    },
    {
      name: 'list, from both ends',
      bytes: () => queue.bytes,
      add: (member: Buffer) => queue.push(true, member, 0, member.length),
      remove: () => queue.remove(queue.size % 2 === 0 ? 0 : queue.size - 1, 1),
    },
  ];
  for (const { name, bytes, add, remove } of pairs) {
    const empty = bytes();
    for (const member of members) add(member);
    const full = bytes();
    for (const member of members.slice(0, 99_000)) remove(member);
    const left = bytes();
    t.ok(left - empty < (full - empty) / 40, `${name}: ${full} bytes full, ${left} with a hundredth of it`);
  }
});

t.test('a large collection costs little beside its members', async (t) => {
  const count = 100_000;
  const table = new MemberTable('nothing', 5);
  const zset = new OrderedTable(5);
  const list = new ChunkList();
  for (let i = 0; i < count; i++) {
    const member = bytes(`element:${String((i * 7919) % count).padStart(12, '0')}`);
    table.find(member, 0, member.length);
    table.insert(member, 0, member.length, 0);
    give(zset, (i * 104_729) % count, member);
    list.push(false, member, 0, member.length);
  }
  t.ok(table.reservedBytes / count < 40, `set: ${table.reservedBytes / count} bytes a member of 20`);
  t.ok(zset.bytes / count < 70, `sorted set: ${zset.bytes / count}`);
  t.ok(list.bytes / count < 24, `list: ${list.bytes / count}`);
});

t.test('a queue takes no more the longer it runs', async (t) => {
  for (const length of [600, 5000]) {
    const queue = new ChunkList();
    const before: string[] = [];
    let most = 0;
    for (let i = 0; i < 20 * length; i++) {
      const element = bytes(`element:${i}`);
      queue.push(true, element, 0, element.length);
      before.push(String(element));
      if (queue.size <= length) continue;
      queue.at(length);
      const oldest = queue.foundIn.latin1Slice(queue.foundStart, queue.foundEnd);
      if (oldest !== before.shift()) t.fail(`element ${i}`);
      queue.remove(length, 1);
      most = Math.max(most, queue.bytes);
    }
    t.equal(queue.size, length);
    t.ok(most < length * 16 * 2.2 + 2048, `${length} elements: ${most} bytes at most`);
  }
});

t.test('as many equal members of one score as one likes are found by their bytes', async (t) => {
  const zset = new OrderedTable(5);
  const names = Array.from({ length: 20_000 }, (_, i) => `m${(i * 7919) % 20_000}`);
  for (const name of names) give(zset, 0, bytes(name));
  const sorted = [...names].sort();
  for (let rank = 0; rank < sorted.length; rank += 97) {
    if (zset.rankOf(bytes(sorted[rank]), 0, sorted[rank].length) !== rank) t.fail(`rank ${rank}`);
  }
  t.equal(zset.rankOf(bytes(sorted[19_999]), 0, sorted[19_999].length), 19_999);
});
