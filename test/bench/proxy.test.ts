import t from 'tap';
import { findEnvoy, isInstalled } from '../../bench/support/peers.ts';
import { bench, benchRows, needsRedis } from '../support/bench-rows.ts';

/* `npm run bench` of what is measured at a proxy. */

t.test('proxy beside nutcracker and Envoy', needsRedis, async (t) => {
  const found = await benchRows('proxy');
  const peers = new Set(found.map(({ peer }) => peer));
  t.equal(peers.has('nutcracker'), isInstalled('nutcracker'), 'nutcracker is measured where it is installed');
  t.equal(peers.has('envoy'), findEnvoy() !== undefined, 'Envoy is measured where it is installed');
  t.ok(found.every(({ ratio }) => ratio > 0));
  t.ok(found.some(({ command }) => command === 'MGET'));
});

t.test('what proxies add to a GET', needsRedis, async (t) => {
  const found = await benchRows<{ server: string; p50: number; p999: number; added?: object }>('latency');
  t.strictSame(
    found.slice(0, 2).map(({ server, added }) => [server, added !== undefined]),
    [
      ['redis-server', false],
      ['ringside proxy', true],
    ],
  );
  t.ok(found.every(({ p50, p999 }) => p50 > 0 && p999 >= p50));
});

t.test('a suite that does not exist is wrong usage', async (t) => {
  const run = bench('nodes');
  await t.rejects(run, { code: 2, stderr: /^usage:/ });
});
