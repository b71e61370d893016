import net from 'node:net';
import t, { type Test } from 'tap';
import { seededRandom } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What the near cache answers while a pipeline is read stands where it belongs, and is counted as what it is. */

const ROUNDS = 60;
const COMMANDS = 120;
const KEYS = 12;
const END = ['ECHO', 'the end'];
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

t.test('pipelines of a client are answered as by the node itself, byte for byte', async (t) => {
  const [behind, alone] = [await startStandaloneNode(t), await startStandaloneNode(t)];
  const upstreams = [{ name: 's0', leader: behind.ready.resp }];
  const { proxy } = await proxyWith(
    t,
    { upstreams, adminPort: 'auto', operationTimeoutMs: 30_000, readTimeoutMs: 10_000 },
    near,
  );
  const through = new Pipelines(t, proxy.listeners.resp);
  const direct = new Pipelines(t, alone.ready.resp);
  const random = seededRandom(7);
  const key = () => `${random.int(8) === 0 ? 'o' : 'n'}:${random.int(KEYS)}`;
  const makers: (() => string[][])[] = [
    ...Array(14).fill(() => [['GET', key()]]),
    () => [['get', key()]],
    () => [['SET', key(), 'v'.repeat(random.int(300))]],
    () => [['SET', key(), 'long'.repeat(6000)]],
    () => [['APPEND', key(), '!']],
    () => [['DEL', key()]],
    () => [['MGET', key(), key()]],
    () => [['GET']],
    () => [['GET', key(), key()]],
    () => [['PING']],
    () => [['NOSUCH', key()]],
    () => [
      ['RPUSH', 'n:list', 'x'],
      ['GET', 'n:list'],
      ['DEL', 'n:list'],
    ],
    () => [
      ['SELECT', '1'],
      ['GET', key()],
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
    () => [['MULTI'], ['GET', key()], ['INCR', 'n:count'], ['EXEC']],
    () => [['WATCH', key()], ['GET', key()], ['UNWATCH']],
  ];
  for (let round = 0; round < ROUNDS; round++) {
    const commands: string[][] = [];
    while (commands.length < COMMANDS) commands.push(...makers[random.int(makers.length)]());
    const bytes = Buffer.concat([...commands, END].map((parts) => encodeCommand(...parts)));
    const answers = await Promise.all([through, direct].map((one) => one.exchange(bytes)));
    if (answers[0] === answers[1]) continue;
    t.equal(answers[0], answers[1], `round ${round}`);
    return;
  }
  const hits = await metricOf(proxy, 'ringside_proxy_near_hits_total{namespace="near"}');
  t.ok(hits > ROUNDS, `${hits} reads were answered from memory`);
  const counts = [
    'ringside_proxy_command_seconds_count{listener="resp",command="get"}',
    'ringside_proxy_commands_total',
  ];
  const before = await Promise.all(counts.map((name) => metricOf(proxy, name)));
  const gets = Buffer.concat(Array.from({ length: 99 }, () => encodeCommand('GET', 'n:1')));
  await through.exchange(Buffer.concat([gets, encodeCommand(...END)]));
  const after = await Promise.all(counts.map((name) => metricOf(proxy, name)));
  t.same([after[0] - before[0], after[1] - before[1]], [99, 100], 'each of them is counted');
});
