import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { anyCommands } from '../support/any-writes.ts';
import { CountingClients } from '../support/counting-clients.ts';
import { RawClient } from '../support/raw-client.ts';
import { contentOf } from '../support/redis-content.ts';
import { hasRedisServer, NO_REDIS, type RedisServer, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * An app counts through a proxy all the while, with several hundred writes a second, and is moved from a redis-server to a node and back: every
 * increment that was acknowledged is there, once, and nobody saw an error. Then the same with somebody dying in the middle.
 */

const skip = hasRedisServer ? false : NO_REDIS;
const seed = Number(process.env.SEED ?? 20261121);
const CLIENTS = 4;

interface Stage {
  readonly redis: RedisServer;
  readonly node: Ringside;
  readonly proxy: Ringside;
  readonly app: CountingClients;
  client(address: string): RespClient;
  /** Runs `ctl migrate` to its end. */
  migrate(direction: '--from' | '--to', ...args: string[]): ReturnType<typeof runRingside>;
  /** Runs it with `--json`, to be watched. */
  follow(direction: '--from' | '--to', ...args: string[]): Watched;
  /** What the proxy says of its upstream. */
  upstream(): Promise<{ upstream: string; hold: string | null }>;
}

/** A `ringside ctl … --json` whose lines are read as they come. */
class Watched {
  readonly ended: Promise<{ code: number | null; stdout: string; error: unknown }>;
  readonly #child: ChildProcess;
  readonly #steps = new Set<string>();
  #stdout = '';
  #changed: () => void = () => {};

  constructor(args: readonly string[]) {
    const main = join(import.meta.dirname, '../../cli/main.ts');
    const env = { ...process.env, NODE_OPTIONS: '' };
    this.#child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      for (const [, step] of this.#stdout.matchAll(/^{"step":"([^"]*)"/gm)) this.#steps.add(step);
      this.#changed();
    });
    this.ended = once(this.#child, 'close').then(() => {
      this.#changed();
      const error = /^{"error":.*/m.exec(this.#stdout)?.[0];
      return { code: this.#child.exitCode, stdout: this.#stdout, error: error && JSON.parse(error).error };
    });
  }

  /** Resolves once it says that it does this, or has ended. */
  async says(step: string): Promise<void> {
    while (!this.#steps.has(step) && this.#child.exitCode === null) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

async function stage(t: Test, { proxyArgs = [] as string[] } = {}): Promise<Stage> {
  const redis = await startRedis(['--repl-diskless-sync-delay', '0']);
  t.teardown(() => redis.stop());
  const node = await startStandaloneNode(t);
  const only = ['--resp-port', 'auto', '--admin-port', 'auto', '--http-port', 'off', '--grpc-port', 'off'];
  const upstream = ['--engine', 'redis', '--upstream', `a=${redis.address}`, '--memcached-port', 'off'];
  const proxy = await startRingside(['proxy', ...only, ...upstream, ...proxyArgs]);
  t.teardown(() => proxy.stop());
  const app = new CountingClients(proxy.ready.resp, CLIENTS);
  t.teardown(() => app.stop());
  const parties = ['--node', `redis://${node.ready.resp}`, '--proxy', `http://${proxy.ready.admin}`];
  return {
    redis,
    node,
    proxy,
    app,
    client(address) {
      const client = new RespClient(address);
      t.teardown(() => client.close());
      return client;
    },
    migrate: (direction, ...args) =>
      runRingside(['ctl', 'migrate', direction, `redis://${redis.address}`, ...parties, ...args]),
    follow: (direction, ...args) =>
      new Watched(['ctl', 'migrate', direction, `redis://${redis.address}`, ...parties, ...args, '--json']),
    upstream: async () => {
      const response = await fetch(`http://${proxy.ready.admin}/upstream`);
      return (await response.json()) as { upstream: string; hold: string | null };
    },
  };
}

/** Values of every type, small and large, some of which expire, in three databases. */
async function load(address: string): Promise<void> {
  const raw = new RawClient(address);
  const random = seededRandom(seed);
  const commands = anyCommands(random, 1500).filter(([name]) => !/^(RS\.|FLUSH|SWAPDB)/i.test(String(name)));
  await raw.run(commands);
  const kinds = (n: number) => [
    ['SET', `string:${n}`, 'x'.repeat(n * 10), 'EX', String(1000 + n)],
    ['RPUSH', `list:${n}`, ...Array.from({ length: n }, (_, i) => `element ${i}`)],
    ['SADD', `set:${n}`, ...Array.from({ length: n }, (_, i) => `member ${i}`)],
    ['SADD', `integers:${n}`, ...Array.from({ length: n }, (_, i) => String(i))],
    ['HSET', `hash:${n}`, ...Array.from({ length: n * 2 }, (_, i) => `field ${i}`)],
    ['ZADD', `zset:${n}`, ...Array.from({ length: n }, (_, i) => [String(i / 3), `member ${i}`]).flat()],
    ['EXPIRE', `hash:${n}`, '5000'],
  ];
  for (const database of ['0', '3', '9']) {
    await raw.run([['SELECT', database], ...[1, 20, 1000].flatMap(kinds)]);
  }
  raw.close();
}

const withoutCounters = (content: Map<string, string>) =>
  new Map(
    [...content].filter(([key]) => !Buffer.from(key.split(':')[1], 'hex').toString().startsWith('counter:')),
  );

/** Every increment that was acknowledged counts once; with `unsure`, at most so many more. */
async function counted(
  t: Test,
  client: RespClient,
  { acknowledged }: CountingClients,
  unsure = 0,
): Promise<void> {
  for (const [key, count] of acknowledged) {
    const found = Number(await client.text('GET', key));
    t.ok(found >= count && found <= count + unsure, `${key}: ${count} acknowledged, ${found} there`);
  }
}

const runsOn = async (app: CountingClients, what: string) => {
  const before = app.total;
  await until(what, () => app.total > before + 100);
};

t.test('to a node and back, under load', { skip }, async (t) => {
  const { redis, node, app, client, migrate } = await stage(t);
  await load(redis.address);
  const before = withoutCounters(await contentOf(client(redis.address)));
  await runsOn(app, 'the app counts');

  const there = await migrate('--from');
  t.equal(there.code, 0, there.stderr);
  t.notMatch(there.stdout, /^.{81}/m, 'no line is wider than 80');
  t.match(there.stdout, /Done: writes were held for \d+ ms/);
  await runsOn(app, 'the app counts on the node');
  const onNode = client(node.ready.resp);
  t.equal((await onNode.text('INFO', 'replication'))!.match(/^role:(\w+)/m)![1], 'master');
  const moved = withoutCounters(await contentOf(onNode));
  t.same(
    [...before].filter(([key, value]) => moved.get(key) !== value && !/until [1-9]/.test(value)).slice(0, 3),
    [],
  );
  t.match(
    await client(redis.address).send('SET', 'stray', '1'),
    { message: /^READONLY/ },
    'nobody writes to the source',
  );

  const back = await migrate('--to', '--json');
  t.equal(back.code, 0, back.stdout);
  const lines = back.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(lines.at(-1), { step: 'done', tookMs: Number, held: Number, offset: /^\d+$/, unsure: [] });
  t.match(
    lines.find(({ step }) => step === 'follow'),
    { lagBytes: /^\d+$/, lagSeconds: Number },
  );
  await runsOn(app, 'the app counts on Redis again');
  await app.stop();
  t.same([...app.errors], [], 'nobody saw an error');
  await counted(t, client(redis.address), app);
  t.comment(`${app.total} increments, the longest took ${Math.round(app.longestMs)} ms`);
});

t.test('the same with threads, and a second time', { skip }, async (t) => {
  const { node, app, client, migrate } = await stage(t, { proxyArgs: ['--workers', '2'] });
  await runsOn(app, 'the app counts');
  for (const direction of ['--from', '--to', '--from'] as const) {
    const done = await migrate(direction);
    t.equal(done.code, 0, done.stderr);
    await runsOn(app, 'the app counts on');
  }
  t.match(await migrate('--from'), { code: 0, stdout: /Nothing to do/ });
  await app.stop();
  t.same([...app.errors], [], 'nobody saw an error');
  await counted(t, client(node.ready.resp), app);
});

t.test('ctl dies while the target follows: the same command again', { skip }, async (t) => {
  const { redis, node, app, client, migrate } = await stage(t);
  const attached = await migrate('--from', '--no-cut-over');
  t.match(attached, { code: 0, stdout: /Level/ });
  t.match(await client(node.ready.resp).text('INFO', 'replication'), /master_link_status:up/);
  await runsOn(app, 'the app counts on Redis');
  const done = await migrate('--from');
  t.equal(done.code, 0, done.stderr);
  await runsOn(app, 'the app counts on the node');
  await app.stop();
  t.same([...app.errors], []);
  await counted(t, client(node.ready.resp), app);
  t.ok(redis);
});

t.test('ctl dies in the cut-over', { skip }, async (t) => {
  for (const step of ['cut-over', 'hold', 'pause', 'promote', 'turn', 'demote']) {
    await t.test(`at ${step}`, async (t) => {
      const { redis, node, app, client, follow, upstream } = await stage(t);
      await runsOn(app, 'the app counts');
      const ctl = follow('--from', '--max-hold', '1500');
      await ctl.says(step);
      ctl.kill();
      await ctl.ended;
      await until('the hold is over', async () => (await upstream()).hold === null);
      // The same again, until it is done: what had been promoted has a copy that may go.
      const again = await follow('--from', '--replace').ended;
      t.equal(again.code, 0, again.stdout);
      await runsOn(app, 'the app counts on the node');
      await app.stop();
      const texts = [...app.errors.keys()];
      t.same(
        texts.filter((text) => !text.startsWith('READONLY')),
        [],
        `errors: ${texts.join()}`,
      );
      await counted(t, client(node.ready.resp), app);
      t.match(await client(redis.address).text('INFO', 'replication'), /role:slave/);
    });
  }
});

t.test('the target dies: the app goes on with the source', { skip }, async (t) => {
  const { redis, node, app, client, follow } = await stage(t);
  await runsOn(app, 'the app counts');
  const ctl = follow('--from');
  await ctl.says('hold');
  node.kill('SIGKILL');
  const { code, error } = await ctl.ended;
  t.equal(code, 1);
  t.match(error, { message: /^the cut-over failed: the target .* does not answer/ });
  t.match(error, { message: /the same command again/ });
  await runsOn(app, 'the app counts on Redis');
  await app.stop();
  t.same([...app.errors], [], 'nobody saw an error');
  await counted(t, client(redis.address), app);
});

t.test('the source dies: what was acknowledged is on the target', { skip }, async (t) => {
  const { redis, node, app, client, follow } = await stage(t);
  await runsOn(app, 'the app counts');
  const ctl = follow('--from');
  await ctl.says('promote');
  await redis.stop();
  const { code, error } = await ctl.ended;
  if (code === 1) {
    t.match(error, { message: /REPLICAOF NO ONE there, and start the proxies with --upstream/ });
    t.equal(await client(node.ready.resp).text('REPLICAOF', 'NO', 'ONE'), 'OK');
  }
  await app.stop();
  const unsure = [...app.errors].filter(([text]) => text.startsWith('UNKNOWN')).length;
  await counted(t, client(node.ready.resp), app, unsure);
});

t.test('what is refused, and changes nothing', { skip }, async (t) => {
  const { redis, node, proxy, app, client, migrate } = await stage(t);
  await app.stop();
  await client(node.ready.resp).text('SET', 'own', '1');
  const refusals: [string[], RegExp][] = [
    [[], /the target .* holds 1 keys, which would be deleted: say --replace/],
    [['--node', `redis://${redis.address}`], /are the same server/],
    [
      ['--node', 'redis://127.0.0.1:1'],
      /the target 127\.0\.0\.1:1 does not answer \(nothing listens there\)/,
    ],
    [['--node', 'http://127.0.0.1:1'], /--node: write it as redis:/],
    [['--proxy', `http://${node.ready.admin}`], /there is no GET \/upstream/],
    [['--max-hold', '1'], /whole number from 500/],
  ];
  for (const [args, text] of refusals) {
    const { code, stderr } = await migrate('--from', ...args);
    t.match(stderr, text);
    t.not(code, 0);
  }
  const several = await startRingside([
    ...['proxy', '--resp-port', 'auto', '--admin-port', 'auto', '--http-port', 'off', '--grpc-port', 'off'],
    ...['--memcached-port', 'off', '--upstream', `a=${redis.address}`, '--upstream', `b=${node.ready.resp}`],
  ]);
  t.teardown(() => several.stop());
  const refused = await migrate('--from', '--replace', '--proxy', `http://${several.ready.admin}`);
  t.match(refused, { code: 1, stderr: /has several shards, or a control plane: only one fixed upstream/ });
  t.match(await client(node.ready.resp).text('INFO', 'replication'), /role:master/);
  t.match(await client(redis.address).text('INFO', 'replication'), /role:master/);
  t.ok(proxy);
});
