import type { Test } from 'tap';
import { type Clock, systemClock, systemRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { type RunningProxy, startProxy } from '../../proxy/index.ts';
import { captureLog, type LogLine } from './capture-log.ts';
import { FakeNode } from './fake-node.ts';
import { patience } from './patience.ts';
import { RespClient } from './resp-client.ts';

/** A proxy in the process of the test, in front of fake nodes. */
export interface ProxyUnderTest {
  readonly proxy: RunningProxy;
  readonly resp: string;
  readonly log: readonly LogLine[];
  /** A new client; closed with the test. */
  client(): RespClient;
}

const quiet = { respPort: 'auto', httpPort: 'off', grpcPort: 'off', memcachedPort: 'off', adminPort: 'off' };

/** Timeouts that are long, unless a test says otherwise. */
function timeoutsWith({ operationTimeoutMs = patience.operationTimeoutMs }: { operationTimeoutMs?: number }) {
  const readTimeoutMs = Math.min(patience.readTimeoutMs, Math.floor(operationTimeoutMs * 0.75));
  return { ...patience, readTimeoutMs, drainTimeoutMs: 2000 };
}

/** Starts a proxy with these options of `proxy`, on a free port, without any other listener unless asked for; closed with the test. */
export async function proxyWith(
  t: Test,
  options: object,
  rest: object = {},
  clock: Clock = systemClock,
): Promise<ProxyUnderTest> {
  const config = configFrom({ proxy: { ...quiet, ...timeoutsWith(options), ...options }, ...rest });
  const { log, lines } = captureLog();
  const proxy = await startProxy(config, { clock, random: systemRandom, log });
  t.teardown(() => proxy.close());
  const { resp } = proxy.listeners;
  return {
    proxy,
    resp,
    log: lines,
    client() {
      const client = new RespClient(resp);
      t.teardown(() => client.close());
      return client;
    },
  };
}

/** Fake nodes that stop with the test. */
export async function fakeNodes(t: Test, count: number): Promise<FakeNode[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => FakeNode.start()));
  t.teardown(() => Promise.all(nodes.map((node) => node.stop())));
  return nodes;
}

/** `upstreams` of a fixed ring: shards s0, s1, … with these leaders and followers. */
export function upstreamsOf(shards: readonly { leader: FakeNode; followers?: readonly FakeNode[] }[]) {
  return shards.map(({ leader, followers = [] }, i) => ({
    name: `s${i}`,
    leader: leader.address,
    followers: followers.map(({ address }) => address),
  }));
}
