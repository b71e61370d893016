import { parseArgs } from 'node:util';
import { systemClock, systemRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { startProxy } from '../../proxy/index.ts';
import { captureLog } from './capture-log.ts';
import { RespClient } from './resp-client.ts';

/*
 * `node memcached-server.ts --port PORT NODE…`: a proxy that speaks memcached on this port, in front of these nodes (`host:port`), each a shard
 * of its own, which it empties first: for suites of others that start a server by a command. Ends with SIGTERM.
 */

const { values, positionals } = parseArgs({ options: { port: { type: 'string' } }, allowPositionals: true });
for (const address of positionals) {
  const client = new RespClient(address);
  await client.send('FLUSHALL');
  client.close();
}
const config = configFrom({
  proxy: {
    memcachedPort: Number(values.port),
    respPort: 'off',
    httpPort: 'off',
    grpcPort: 'off',
    adminPort: 'off',
    upstreams: positionals.map((leader, i) => ({ name: `s${i}`, leader, followers: [] })),
    // A machine that does other things too is slow now and then.
    operationTimeoutMs: 10_000,
    readTimeoutMs: 9000,
  },
});
const { log } = captureLog();
const proxy = await startProxy(config, { clock: systemClock, random: systemRandom, log });
process.once('SIGTERM', () => proxy.close());
