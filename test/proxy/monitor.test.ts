import t, { type Test } from 'tap';
import { FrameClient } from '../support/frame-client.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* MONITOR: the commands of all clients of a proxy, as Redis would show them. */

const LINE = /^(\d+\.\d{6}) \[(\d+) (\S+)\] (.*)$/;

const connect = (t: Test, address: string): FrameClient => {
  const client = new FrameClient(address);
  t.teardown(() => client.close());
  return client;
};

async function monitor(t: Test, address: string): Promise<FrameClient> {
  const client = connect(t, address);
  t.same(await client.ask(1, 'MONITOR'), ['OK']);
  return client;
}

/** What the lines say of commands, without time and address. */
const commandsIn = ({ frames }: FrameClient) =>
  frames.flatMap((frame) => {
    const match = LINE.exec(String(frame));
    return match ? [`${match[2]} ${match[4]}`] : [];
  });

const SCRIPT: readonly (readonly string[])[] = [
  ['SET', 'k', 'v"\\\n\t\x01\x7f\xff'],
  ['get', 'k'],
  ['SELECT', '3'],
  ['MGET', 'k', ''],
  ['PING'],
  ['CLIENT', 'GETNAME'],
  ['CONFIG', 'GET', 'port'],
  ['AUTH', 'nobody', 'secret'],
  ['HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'me'],
  ['NOSUCH', 'x'],
  ['GET'],
  ['PUBLISH', 'c', 'm'],
  ['SUBSCRIBE', 'c'],
  ['UNSUBSCRIBE'],
  ['ECHO', 'end'],
];

t.test('as redis-server shows it', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const upstreams = [{ name: 's0', leader: redis.address }];
  const proxy = await proxyWith(t, { engine: 'redis', upstreams });
  const shown: string[][] = [];
  for (const address of [redis.address, proxy.resp]) {
    const watcher = await monitor(t, address);
    const client = new RespClient(address);
    for (const command of SCRIPT) await client.send(...command.map((word) => Buffer.from(word, 'latin1')));
    await watcher.sees('"ECHO" "end"');
    shown.push(commandsIn(watcher));
    const [, time, , from] = LINE.exec(String(watcher.frames[1]))!;
    t.ok(Math.abs(Number(time) - Date.now() / 1000) < 60, 'the time is that of the clock');
    t.equal(from, `127.0.0.1:${(client.socket.address() as { port: number }).port}`);
    t.match(await watcher.ask(1, 'GET', 'k'), ["-ERR Replica can't interact with the keyspace"]);
    t.same(await watcher.ask(1, 'RESET'), ['RESET']);
    await client.send('ECHO', 'unseen');
    t.same(await watcher.ask(1, 'PING'), ['PONG'], 'RESET has ended it');
    client.close();
    watcher.close();
  }
  t.strictSame(shown[1], shown[0]);
  t.notMatch(shown[1].join('\n'), /secret/);
});

t.test('transactions, long commands, and those who wait', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const proxy = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]) });
  const [one, other] = [await monitor(t, proxy.resp), await monitor(t, proxy.resp)];
  const client = proxy.client();
  await client.text('SET', 'long', 'x'.repeat(200_000));
  await client.text('MULTI');
  await client.text('PUBLISH', 'c', 'm');
  await client.send('EXEC');
  await client.text('ECHO', 'end');
  for (const watcher of [one, other]) {
    await watcher.sees('"ECHO" "end"');
    const lines = commandsIn(watcher).map((line) => line.slice(0, 30));
    t.same(lines, [
      '0 "SET" "long" "xxxxxxxxxxxxxx',
      '0 "MULTI"',
      '0 "PUBLISH" "c" "m"',
      '0 "EXEC"',
      '0 "ECHO" "end"',
    ]);
  }
  t.match(String(await client.text('CLIENT', 'LIST')), /flags=O .*cmd=monitor/);
  one.close();
  other.close();
});

t.test('a monitor that does not read is cut', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const limits = { maxUnreadMessageBytes: '64kb' };
  const proxy = await proxyWith(t, { upstreams: upstreamsOf([{ leader: node }]), limits });
  const slow = await monitor(t, proxy.resp);
  slow.socket.pause();
  const client = proxy.client();
  await until('it is cut', async () => {
    await Promise.all(Array.from({ length: 20 }, () => client.send('ECHO', 'x'.repeat(100_000))));
    return proxy.log.some(({ setting }) => setting === 'proxy.limits.maxUnreadMessageBytes');
  });
});

t.test('with several threads the commands of all of them are shown', async (t) => {
  const [node] = await fakeNodes(t, 1);
  const off = ['http', 'grpc', 'memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
  const proxy = await startRingside([
    ...['proxy', '--upstream', `s0=${node.address}`, '--resp-port', 'auto', '--workers', '2'],
    ...off,
  ]);
  t.teardown(() => proxy.stop());
  const watcher = await monitor(t, proxy.ready.resp);
  for (let i = 0; i < 12; i++) {
    const client = new RespClient(proxy.ready.resp);
    await client.text('ECHO', `from ${i}`);
    client.close();
  }
  for (let i = 0; i < 12; i++) await watcher.sees(`"ECHO" "from ${i}"`);
  watcher.close();
});
