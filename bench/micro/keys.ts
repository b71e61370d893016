/**
 * Micro-benchmarks of a wide MGET through the proxy: sorting its keys by shard, and merging the replies.
 *
 *     npx node bench/micro/keys.ts
 */
import { bench, do_not_optimize, group, run, summary } from 'mitata';
import { argsOf, encodeCommand, replyLineEnd, skipReply } from '../../lib/codec/resp/index.ts';
import { Ring } from '../../lib/ring/index.ts';
import { acquireSplit } from '../../proxy/core/key-split.ts';
import { mergeValues } from '../../proxy/core/merge-keys.ts';
import { acquireRequest, type Request } from '../../proxy/core/request.ts';
import type { Router } from '../../proxy/core/router.ts';
import { ShardRoute } from '../../proxy/core/topology.ts';

const KEYS = 100;
const VALUE_BYTES = 32;

const names = ['s0', 's1', 's2'];
const ring = Ring.of(names.map((name) => ({ name, weight: 1 })));
const routes = names.map((name, index) => Object.assign(new ShardRoute(name, null), { index }));
/** What sorting needs of a router, without connections. */
const router = {
  routes,
  routeOf: (buffer: Buffer, start: number, end: number) => routes[ring.shardOf(buffer, start, end)],
  placesOf: (...which: Parameters<Ring['shardsOf']>) => ring.shardsOf(...which),
} as unknown as Router;

const keys = Array.from({ length: KEYS }, (_, i) => `key:${String((i * 7919) % 1e12).padStart(12, '0')}`);
const args = argsOf('MGET', ...keys);

/** What one would write first: a list of positions per shard, a command of views. */
function naiveParts(): Buffer[] {
  const groups = new Map<ShardRoute, Buffer[]>();
  for (let i = 1; i < args.count; i++) {
    const route = router.routeOf(args.buffer, args.start(i), args.end(i));
    const group = groups.get(route);
    if (group) group.push(args.bytes(i));
    else groups.set(route, [args.bytes(i)]);
  }
  return Array.from(groups.values(), (group) => encodeCommand('MGET', ...group));
}

const split = acquireSplit();
split.sort(router, args, 1, 1);
split.encode(args, 1, 1);
const value = Buffer.alloc(VALUE_BYTES, 'v');
const parts = split.routes.map((route, place) => {
  const values = Array.from({ length: split.counts[place] }, () => `$${VALUE_BYTES}\r\n${value}\r\n`);
  const bytes = Buffer.from(`*${values.length}\r\n${values.join('')}`);
  return { route, reply: Object.assign(acquireRequest(), { bytes, end: bytes.length }) };
});
const command: Request = acquireRequest();
command.sink = { ready: (request) => do_not_optimize(request.bytes) };

/** The same, with a view per value. */
function naiveMerge(): Buffer {
  const values: Buffer[] = new Array(KEYS);
  parts.forEach(({ reply: { bytes, start } }, place) => {
    let at = replyLineEnd(bytes, start);
    for (let i = 0; i < KEYS; i++) {
      if (split.owners[i] !== place) continue;
      const end = skipReply(bytes, at);
      values[i] = bytes.subarray(at, end);
      at = end;
    }
  });
  return Buffer.concat([Buffer.from(`*${KEYS}\r\n`), ...values]);
}

summary(() => {
  group(`parts of an MGET of ${KEYS} keys for 3 shards`, () => {
    bench('KeySplit', () => {
      const one = acquireSplit();
      one.sort(router, args, 1, 1);
      one.encode(args, 1, 1);
      one.release();
    });
    bench('naive: a view per key', () => do_not_optimize(naiveParts()));
  });
});

summary(() => {
  group(`reply of an MGET of ${KEYS} values of ${VALUE_BYTES} bytes from 3 shards`, () => {
    bench('mergeValues', () => mergeValues(split, parts, command, 'MGET'));
    bench('naive: a view per value', () => do_not_optimize(naiveMerge()));
  });
});

await run();
