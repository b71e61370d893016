import net from 'node:net';
import t, { type Test } from 'tap';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { proxyWith } from '../support/proxy-under-test.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Replies from the near cache lie in memory that is used again once they are written, and not before. */

const VALUE_BYTES = 2000;
/** More than the system takes for a client that does not read. */
const LEAST_BYTES = 64 * 1024 * 1024;
const PATIENT = { operationTimeoutMs: 30_000, readTimeoutMs: 10_000 };
const near = {
  nearCache: { mode: 'always', minTtlMs: 600_000, maxTtlMs: 600_000 },
  namespaces: [{ name: 'near', prefix: '', stalenessMs: 600_000 }],
};

const keysOf = (name: string) => Array.from({ length: 100 }, (_, i) => `${name}:${i}`);
const contentOf = (key: string) => key.repeat(VALUE_BYTES).slice(0, VALUE_BYTES);
const asked = (keys: readonly string[]) => Buffer.concat(keys.map((key) => encodeCommand('GET', key)));
const answered = (keys: readonly string[]) =>
  Buffer.from(keys.map((key) => `$${VALUE_BYTES}\r\n${contentOf(key)}\r\n`).join(''));

/** A client that sends the same again and again, and compares what comes with what should. */
class Repeater {
  readonly socket: net.Socket;
  readonly #asked: Buffer;
  readonly #answered: Buffer;
  rounds = 0;
  /** Bytes that were as they should. */
  bytes = 0;
  isWrong = false;

  constructor(t: Test, address: string, name: string) {
    const [host, port] = address.split(':');
    this.socket = net.connect({ host, port: Number(port) });
    t.teardown(() => this.socket.destroy());
    this.#asked = asked(keysOf(name));
    this.#answered = answered(keysOf(name));
    this.socket.on('data', (chunk) => this.#compare(chunk));
  }

  get roundBytes(): number {
    return this.#answered.length;
  }

  get isAnswered(): boolean {
    return this.isWrong || this.bytes === this.rounds * this.roundBytes;
  }

  ask(): void {
    this.rounds++;
    this.socket.write(this.#asked);
  }

  #compare(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const from = this.bytes % this.roundBytes;
      const length = Math.min(chunk.length - at, this.roundBytes - from);
      this.isWrong ||= this.#answered.compare(chunk, at, at + length, from, from + length) !== 0;
      this.bytes += length;
      at += length;
    }
  }
}

t.test('what a client has not read stays as it was', { timeout: 180_000 }, async (t) => {
  const node = await startStandaloneNode(t);
  const upstreams = [{ name: 's0', leader: node.ready.resp }];
  const { proxy } = await proxyWith(t, { upstreams, ...PATIENT }, near);
  const [slow, brisk] = ['slow', 'brisk'].map((name) => new Repeater(t, proxy.listeners.resp, name));
  const filling = net.connect({ host: '127.0.0.1', port: Number(proxy.listeners.resp.split(':')[1]) });
  t.teardown(() => filling.destroy());
  let oks = 0;
  filling.on('data', (chunk) => {
    oks += chunk.toString().split('\n').length - 1;
  });
  const keys = [...keysOf('slow'), ...keysOf('brisk')];
  filling.write(Buffer.concat(keys.map((key) => encodeCommand('SET', key, contentOf(key)))));
  await until('all keys are there', async () => oks === keys.length);
  for (const one of [slow, brisk]) one.ask();
  await until('both were answered', async () => slow.isAnswered && brisk.isAnswered);
  slow.socket.pause();
  while (slow.rounds * slow.roundBytes < LEAST_BYTES) {
    slow.ask();
    brisk.ask();
    await until('the other one is answered', async () => brisk.isAnswered);
  }
  slow.socket.resume();
  await until('the slow one is answered', async () => slow.isAnswered);
  t.notOk(brisk.isWrong);
  t.notOk(slow.isWrong, `${slow.bytes} bytes are what they should be`);
});
