import { parseArgs } from 'node:util';
import { type Ringside, startRingside } from './ringside.ts';

/*
 * `node proxy-stack.ts --port PORT --nodes N`: a `ringside proxy` on this port in front of so many nodes, each a shard of its own, in the
 * foreground: for suites of others that start a server by a command. Ends with SIGTERM.
 */

const { values } = parseArgs({ options: { port: { type: 'string' }, nodes: { type: 'string' } } });

/** The suite sets `maxmemory` where it counts on Redis's default policy. */
const nodeArgs = ['--port', 'auto', '--admin-port', 'off', '--maxmemory-policy', 'noeviction'];
const quiet = ['--log-level', 'error'];
/** A machine that does other things too is slow now and then. */
const patience = ['--set', 'proxy.operationTimeoutMs=10000', '--set', 'proxy.readTimeoutMs=9000'];

const nodes = await Promise.all(
  Array.from({ length: Number(values.nodes) }, () =>
    startRingside(['node', '--standalone', ...nodeArgs, ...quiet]),
  ),
);
const upstreams = nodes.flatMap(({ ready }, i) => ['--upstream', `s${i}=${ready.resp}`]);
const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((listener) => [`--${listener}-port`, 'off']);
const port = ['--resp-port', values.port!];
const proxy = await startRingside(['proxy', ...port, ...off, ...upstreams, ...patience, ...quiet]);

const all: readonly Ringside[] = [proxy, ...nodes];
process.once('SIGTERM', async () => {
  for (const one of all) await one.stop();
});
await Promise.race(all.map(({ ended }) => ended));
for (const one of all) {
  process.stderr.write(one.stderr());
  await one.stop();
}
