import t from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { drawsOneByOne, Selection } from '../../node/commands/random-choice.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/* Random members and fields: never one that is not there, never one twice that must not, and each as likely. */

const seed = Number(process.env.SEED ?? 20261121);
/** A small one of integers, a small one of text, and one too large to be kept compact. */
const populations: readonly (readonly [string, string[]])[] = [
  ['one', ['only']],
  ['integers', Array.from({ length: 40 }, (_, i) => String(i * 3))],
  ['words', Array.from({ length: 30 }, (_, i) => `w${i}`)],
  ['many', Array.from({ length: 1500 }, (_, i) => `member${i}`)],
];

t.test('selection in one pass chooses every one as often', async (t) => {
  const random = seededRandom(seed);
  const [population, wanted, rounds] = [12, 5, 24_000];
  const chosen: number[] = new Array(population).fill(0);
  for (let round = 0; round < rounds; round++) {
    const selection = new Selection(random, population, wanted);
    let count = 0;
    for (let i = 0; i < population; i++) {
      if (!selection.next()) continue;
      chosen[i]++;
      count++;
    }
    if (count !== wanted) t.equal(count, wanted);
  }
  const expected = (rounds * wanted) / population;
  const chiSquare = chosen.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // 11 degrees of freedom: above 31.3 once in a thousand seeds.
  t.ok(chiSquare < 31.3, `chi square ${chiSquare.toFixed(1)}, seed ${seed}`);
});

t.test('from sets and hashes', async (t) => {
  const random = seededRandom(seed);
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  const strings = async (...parts: string[]) => ((await client.send(...parts)) as Buffer[]).map(String);

  for (const [title, members] of populations) {
    await t.test(title, async (t) => {
      await client.send('SADD', 's', ...members);
      await client.send('HSET', 'h', ...members.flatMap((member) => [member, `v${member}`]));
      const counts = [
        1,
        2,
        members.length >> 2,
        members.length >> 1,
        members.length - 1,
        members.length,
        9999,
      ];
      for (const count of counts.filter((n) => n > 0)) {
        const most = Math.min(count, members.length);
        for (const command of [
          ['SRANDMEMBER', 's'],
          ['HRANDFIELD', 'h'],
        ]) {
          const chosen = await strings(...command, String(count));
          t.equal(chosen.length, most, `${command} ${count}: as many`);
          t.equal(new Set([...members, ...chosen]).size, members.length, 'of those that are there');
          t.equal(new Set(chosen).size, most, 'each once');
          const repeated = await strings(...command, String(-count));
          t.equal(repeated.length, count, `${command} ${-count}: as many`);
          t.equal(new Set([...members, ...repeated]).size, members.length);
        }
        const pairs = await strings('HRANDFIELD', 'h', String(random.int(2) ? count : -count), 'WITHVALUES');
        t.ok(
          pairs.every((part, i) => i % 2 === 0 || part === `v${pairs[i - 1]}`),
          'fields with their values',
        );
      }
      await client.send('DEL', 's', 'h');
    });
  }

  await t.test('popped members are gone, the others stay', async (t) => {
    for (const [, members] of populations) {
      for (const part of [0.1, 0.3, 0.6, 0.95]) {
        const count = Math.ceil(members.length * part);
        await client.send('DEL', 's');
        await client.send('SADD', 's', ...members);
        const popped = await strings('SPOP', 's', String(count));
        const left = await strings('SMEMBERS', 's');
        t.equal(popped.length, count);
        t.strictSame([...popped, ...left].sort(), [...members].sort(), `${count} of ${members.length}`);
        if (left.length === 0) continue;
        const one = await client.text('SPOP', 's');
        t.ok(left.includes(one!));
        t.equal(await client.send('SCARD', 's'), left.length - 1);
      }
    }
  });

  await t.test('each as likely, whichever way they are chosen', async (t) => {
    await client.send('DEL', 's');
    await client.send('SADD', 's', ...Array.from({ length: 10 }, (_, i) => `m${i}`));
    for (const count of [1, 3, 7, -1]) {
      const rounds = 3000;
      const times = new Map<string, number>();
      const replies = await Promise.all(
        Array.from({ length: rounds }, () => strings('SRANDMEMBER', 's', String(count))),
      );
      for (const member of replies.flat()) times.set(member, (times.get(member) ?? 0) + 1);
      const expected = (rounds * Math.abs(count)) / 10;
      const chiSquare = [...times.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      // 9 degrees of freedom: above 60 once in a thousand million runs.
      t.ok(
        chiSquare < 60,
        `${count} of 10 (${drawsOneByOne(count, 10)}): chi square ${chiSquare.toFixed(1)}`,
      );
    }
  });
});
