import net from 'node:net';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What the near cache answers while a pipeline is read stands where it belongs, and is counted as what it is. */

const ROUNDS = 20;
const COMMANDS = 120;
const KEYS = 12;
const END = ['ECHO', 'the end'];
/** A machine that is busy with other things must not make answers late. */
const PATIENT = { adminPort: 'auto', operationTimeoutMs: 30_000, readTimeoutMs: 10_000 };
const near = {
  nearCache: { mode: 'always', minTtlMs: 600_000, maxTtlMs: 600_000 },
  namespaces: [{ name: 'near', prefix: 'n:', stalenessMs: 600_000 }],
};

/** Sends bytes and gives back all that comes, up to the reply to `END`. */
class Pipelines {
  readonly #socket: net.Socket;
  #come: Buffer[] = [];

  constructor(t: Test, address: string) {
    const [host, port] = address.split(':');
    this.#socket = net.connect({ host, port: Number(port) });
    this.#socket.on('data', (chunk) => this.#come.push(chunk));
    t.teardown(() => this.#socket.destroy());
  }

  async exchange(bytes: Buffer): Promise<string> {
    this.#socket.write(bytes);
    let text = '';
    await until('all is answered', async () => {
      text = Buffer.concat(this.#come).latin1Slice();
      return text.endsWith(`${END[1]}\r\n`);
    });
    this.#come = [];
    return text;
  }
}

/** The number behind this in the metrics of a proxy. */
async function metricOf(
  proxy: { listeners: Readonly<Record<string, string>> },
  name: string,
): Promise<number> {
  const text = await (await fetch(`http://${proxy.listeners.admin}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name)) ?? 'not there 0';
  return Number(line.slice(line.lastIndexOf(' ')));
}

const random = seededRandom(7);
const key = () => `${random.int(8) === 0 ? 'o' : 'n'}:${random.int(KEYS)}`;
const keys = () => Array.from({ length: 1 + random.int(9) }, key);

/** What does not care how many shards there are. */
const simple: readonly (() => string[][])[] = [
  ...Array(14).fill(() => [['GET', key()]]),
  ...Array(3).fill(() => [['MGET', ...keys()]]),
  () => [['get', key()]],
  () => [['SET', key(), 'v'.repeat(random.int(300))]],
  () => [['SET', key(), 'long'.repeat(6000)]],
  () => [['APPEND', key(), '!']],
  () => [['DEL', key()]],
  () => [['GET']],
  () => [['GET', key(), key()]],
  () => [['PING']],
  () => [['NOSUCH', key()]],
  () => [
    ['RPUSH', 'n:list', 'x'],
    ['GET', 'n:list'],
    ['MGET', 'n:list', ...keys()],
    ['DEL', 'n:list'],
  ],
  () => [
    ['SELECT', '1'],
    ['GET', key()],
    ['MGET', ...keys()],
    ['SET', key(), 'of one'],
    ['SELECT', '0'],
  ],
  () => [
    ['CLIENT', 'REPLY', 'SKIP'],
    ['GET', key()],
  ],
  () => [
    ['CLIENT', 'REPLY', 'OFF'],
    ['GET', key()],
    ['CLIENT', 'REPLY', 'ON'],
  ],
];
const withUnits: readonly (() => string[][])[] = [
  ...simple,
  () => [['MULTI'], ['GET', key()], ['MGET', ...keys()], ['INCR', 'n:count'], ['EXEC']],
  () => [['WATCH', key()], ['GET', key()], ['UNWATCH']],
];

for (const [shards, protocol, makers] of [
  [1, 2, withUnits],
  [1, 3, withUnits],
  [3, 2, simple],
] as const) {
  t.test(`pipelines are answered as by a node itself: shards ${shards}, RESP${protocol}`, async (t) => {
    const alone = await startStandaloneNode(t);
    const behind = await Promise.all(Array.from({ length: shards }, () => startStandaloneNode(t)));
    const upstreams = behind.map(({ ready }, i) => ({ name: `s${i}`, leader: ready.resp }));
    const { proxy } = await proxyWith(t, { upstreams, ...PATIENT }, near);
    const through = new Pipelines(t, proxy.listeners.resp);
    const direct = new Pipelines(t, alone.ready.resp);
    const both = [through, direct];
    for (const one of both) await one.exchange(encoded([['HELLO', String(protocol)], END]));
    for (let round = 0; round < ROUNDS; round++) {
      const commands: string[][] = [];
      while (commands.length < COMMANDS) commands.push(...makers[random.int(makers.length)]());
      const bytes = encoded([...commands, END]);
      const [ours, wanted] = await Promise.all(both.map((one) => one.exchange(bytes)));
      if (ours === wanted) continue;
      t.equal(ours, wanted, `round ${round}`);
      return;
    }
    const hits = await metricOf(proxy, 'ringside_proxy_near_hits_total{namespace="near"}');
    t.ok(hits > ROUNDS, `${hits} reads were answered from memory`);
    const counts = [
      'ringside_proxy_command_seconds_count{listener="resp",command="get"}',
      'ringside_proxy_commands_total',
    ];
    const before = await Promise.all(counts.map((name) => metricOf(proxy, name)));
    await through.exchange(encoded([...Array.from({ length: 99 }, () => ['GET', 'n:1']), END]));
    const after = await Promise.all(counts.map((name) => metricOf(proxy, name)));
    t.same([after[0] - before[0], after[1] - before[1]], [99, 100], 'each of them is counted');
  });
}

function encoded(commands: readonly string[][]): Buffer {
  return Buffer.concat(commands.map((parts) => encodeCommand(...parts)));
}
