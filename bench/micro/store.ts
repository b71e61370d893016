/**
 * Micro-benchmarks of the node's store, and of a whole command without its socket, beside a Map of buffers.
 *
 *     npx node bench/micro/store.ts
 */
import { bench, do_not_optimize, group, run, summary } from 'mitata';
import { silentLogger, systemClock, systemRandom } from '../../lib/base/index.ts';
import { encodeCommand, RequestParser } from '../../lib/codec/resp/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { buildNode } from '../../node/node.ts';
import { Client } from '../../node/server/client.ts';
import { ReplyWriter } from '../../node/server/reply-writer.ts';
import { MemoryStore } from '../../node/store/index.ts';

/** More than any cache of the processor holds. */
const KEYS = 500_000;
const KEY_BYTES = 16;
const PIPELINE = 16;

const keys = Buffer.alloc(KEYS * KEY_BYTES);
for (let i = 0; i < KEYS; i++)
  keys.write(`key:${String((i * 7919) % 1e12).padStart(12, '0')}`, i * KEY_BYTES);

let next = 0;

/** Where the next key begins: a jump each time, so that the next entry is in no cache. */
function nextKey(): number {
  next = (next + 104_729) % KEYS;
  return next * KEY_BYTES;
}

for (const valueBytes of [8, 100, 1000]) {
  const value = Buffer.alloc(valueBytes, 'x');
  const store = new MemoryStore({ hashSeed: 1 });
  const naive = new Map<string, Buffer>();
  for (let at = 0; at < keys.length; at += KEY_BYTES) {
    store.setBytes(store.insert(keys, at, at + KEY_BYTES), value, 0, valueBytes);
    naive.set(keys.latin1Slice(at, at + KEY_BYTES), Buffer.from(value));
  }
  const reply = new ReplyWriter();

  group(`set, ${valueBytes} bytes`, () => {
    summary(() => {
      bench('store', () => {
        const at = nextKey();
        const slot = store.find(keys, at, at + KEY_BYTES);
        store.touch(slot);
        store.setBytes(slot, value, 0, valueBytes);
      }).baseline(true);
      bench('Map, no order of use', () => {
        const at = nextKey();
        naive.set(keys.latin1Slice(at, at + KEY_BYTES), Buffer.from(value));
      });
    });
  });

  group(`get, ${valueBytes} bytes`, () => {
    summary(() => {
      bench('store', () => {
        const at = nextKey();
        const slot = store.find(keys, at, at + KEY_BYTES);
        store.touch(slot);
        store.writeValue(slot, reply);
        do_not_optimize(reply.take());
        reply.rewind();
      }).baseline(true);
      bench('Map, no order of use', () => {
        const at = nextKey();
        reply.bulk(naive.get(keys.latin1Slice(at, at + KEY_BYTES))!);
        do_not_optimize(reply.take());
        reply.rewind();
      });
    });
  });
}

const config = configFrom({ node: { standalone: true, adminPort: 'off', maxMemoryBytes: '1gb' } });
const node = buildNode(config, { clock: systemClock, random: systemRandom, log: silentLogger });
node.services.shard.leads = true;
node.services.shard.complete = true;
const client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0, authenticated: true });
const parser = new RequestParser(node.linkLimits);
const reply = new ReplyWriter();

function pipelines(command: (key: Buffer) => Buffer): Buffer[] {
  return Array.from({ length: 4096 }, () =>
    Buffer.concat(
      Array.from({ length: PIPELINE }, () => {
        const at = nextKey();
        return command(keys.subarray(at, at + KEY_BYTES));
      }),
    ),
  );
}

const chunks = {
  SET: pipelines((key) => encodeCommand('SET', key, 'value')),
  GET: pipelines((key) => encodeCommand('GET', key)),
  INCR: pipelines((key) => encodeCommand('INCR', Buffer.concat([Buffer.from('n'), key]))),
};

group(`${PIPELINE} commands of a pipeline, parsed, executed, answered`, () => {
  for (const [name, input] of Object.entries(chunks)) {
    let turn = 0;
    bench(name, () => {
      parser.push(input[turn++ % input.length]);
      node.executor.beginTurn();
      while (parser.next()) node.executor.execute(client, parser, reply);
      do_not_optimize(reply.take());
      reply.rewind();
    });
  }
});

await run();
