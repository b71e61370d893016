/**
 * Micro-benchmarks of collections: whole commands without their socket, and the tables beneath them beside a Map.
 *
 *     npx node bench/micro/values.ts
 */
import { bench, do_not_optimize, group, run, summary } from 'mitata';
import { silentLogger, systemClock, systemRandom } from '../../lib/base/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { buildNode } from '../../node/node.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { MemberTable } from '../../node/values/member-table.ts';

const NAMES = 100_000;
const PIPELINE = 16;
const PIPELINES = 4096;

let next = 0;

/** Jumps through all names, so that the next one is in no cache. */
function nextName(): string {
  next = (next + 104_729) % NAMES;
  return String(next).padStart(12, '0');
}

const names = Array.from({ length: NAMES }, () => Buffer.from(`element:${nextName()}`));

const table = new MemberTable('bytes', 1);
const naive = new Map<string, Buffer>();
const value = Buffer.from('xxx');
for (const name of names) {
  table.find(name, 0, name.length);
  table.insert(name, 0, name.length, value.length);
  naive.set(name.latin1Slice(), value);
}

let turn = 0;
group(`a member of ${NAMES}`, () => {
  summary(() => {
    bench('find in a table', () => {
      const name = names[turn++ % NAMES];
      do_not_optimize(table.find(name, 0, name.length));
    }).baseline(true);
    bench('find in a Map', () => {
      do_not_optimize(naive.get(names[turn++ % NAMES].latin1Slice()));
    });
  });
  summary(() => {
    bench('remove from a table and insert again', () => {
      const name = names[turn++ % NAMES];
      const ref = table.find(name, 0, name.length);
      if (ref !== 0) table.remove(ref);
      table.find(name, 0, name.length);
      table.insert(name, 0, name.length, 3);
      table.tidy();
    }).baseline(true);
    bench('remove from a Map and insert again', () => {
      const name = names[turn++ % NAMES].latin1Slice();
      naive.delete(name);
      naive.set(name, value);
    });
  });
});

const config = configFrom({ node: { standalone: true, adminPort: 'off', maxMemoryBytes: '1gb' } });
const node = buildNode(config, { clock: systemClock, random: systemRandom, log: silentLogger });
node.services.shard.leads = true;
node.services.shard.complete = true;
const client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });
const parser = new RequestParser(node.linkLimits);
const reply = new ReplyWriter();

/** Commands on the key that `key` gives. */
const commands: Record<string, (key: string) => string[]> = {
  LPUSH: (key) => ['LPUSH', `l:${key}`, 'xxx'],
  RPOP: (key) => ['RPOP', `l:${key}`],
  HSET: (key) => ['HSET', `h:${key}`, `field:${nextName()}`, 'xxx'],
  HGET: (key) => ['HGET', `h:${key}`, `field:${nextName()}`],
  SADD: (key) => ['SADD', `s:${key}`, `element:${nextName()}`],
  ZADD: (key) => ['ZADD', `z:${key}`, nextName(), `element:${nextName()}`],
  ZRANGE: (key) => ['ZRANGE', `z:${key}`, '0', '9'],
};

function pipelinesOf(command: () => string[]): Buffer[] {
  return Array.from({ length: PIPELINES }, () =>
    Buffer.concat(Array.from({ length: PIPELINE }, () => encodeCommand(...command()))),
  );
}

for (const [what, keyOf] of [
  ['one big key', () => 'big'],
  ['many tiny keys', nextName],
] as const) {
  group(`${PIPELINE} commands of a pipeline, ${what}`, () => {
    for (const [name, words] of Object.entries(commands)) {
      const input = pipelinesOf(() => words(keyOf()));
      let at = 0;
      bench(name, () => {
        parser.push(input[at++ % PIPELINES]);
        node.executor.beginTurn();
        while (parser.next()) node.executor.execute(client, parser, reply);
        do_not_optimize(reply.take());
        reply.rewind();
      });
    }
  });
}

await run();
