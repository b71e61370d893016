import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { cling, habits, LARGE_KEY } from '../support/clinging-clients.ts';
import { infoField } from '../support/data-set.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/*
 * Clients that go without a word in the middle of everything, thousands of them: by an end, a reset, and with their process killed. The node
 * forgets them all, and its memory is what it was.
 */

const PROGRAM = join(import.meta.dirname, '../support/clinging-clients.ts');
const KINDS = Object.keys(habits).length;
const WAVES = 12;
/** Of each kind in a wave; as many again in a process of their own. */
const EACH = 12;
/** What a process takes more or less by itself. What clients left behind would come to several times that. */
const SLACK_BYTES = 24 * 2 ** 20;

/** Ways for a connection to go. */
const ends: readonly ((socket: Socket) => unknown)[] = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end(),
];

t.test('clients that are gone leave nothing', async (t) => {
  const node = await startStandaloneNode(t, '--set', 'node.replication.backlogBytes=1mb');
  const address = node.ready.resp;
  const observer = new RespClient(address);
  t.teardown(() => observer.close());
  await observer.send('SET', LARGE_KEY, 'x'.repeat(100_000));
  await observer.send('MSET', ...Array.from({ length: 100 }, (_, i) => [`read${i}:0`, '1']).flat());
  const figure = async (name: string) => Number(await infoField(observer, name));

  const crowd = async () => {
    const count = EACH * KINDS;
    const sockets = await cling(address, count);
    const child = spawn(process.execPath, [PROGRAM, address, String(count)], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    await until('all of them do what they do', async () => {
      const info = (await observer.text('INFO', 'everything'))!;
      const is = (name: string, value: number) => info.includes(`\r\n${name}:${value}\r\n`);
      return (
        is('blocked_clients', 2 * EACH * 4) &&
        is('tracking_clients', 2 * EACH * 2) &&
        is('pubsub_patterns', EACH) &&
        is('pubsubshard_channels', 1) &&
        is('connected_slaves', EACH)
      );
    });
    for (const [i, socket] of sockets.entries()) ends[i % ends.length](socket);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('they are gone', async () => (await figure('connected_clients')) === 1);
    for (const socket of sockets) socket.destroy();
  };
  const memory = async () => {
    const [heap, external] = [await figure('process_heap_used'), await figure('process_external')];
    return heap + external;
  };
  /** The least of a few looks at it, with some garbage made between them so that what is not used any more goes. */
  const settledBelow = (limit: number) =>
    until(`memory is below ${limit}`, async () => {
      await observer.send('ECHO', 'x'.repeat(2 ** 20));
      const bytes = await memory();
      return bytes < limit ? bytes : null;
    });

  await crowd();
  await crowd();
  const before = await settledBelow(Number.POSITIVE_INFINITY);
  for (let i = 0; i < WAVES; i++) await crowd();
  const after = await settledBelow(before + SLACK_BYTES);
  t.comment(`${2 * EACH * KINDS * WAVES} clients; heap and buffers ${before} -> ${after} bytes`);

  const list = (await observer.text('CLIENT', 'LIST'))!.trim().split('\n');
  t.equal(list.length, 1, 'CLIENT LIST knows nobody else');
  const none = [
    ...['blocked_clients', 'tracking_clients', 'connected_slaves', 'mem_clients_slaves'],
    ...['pubsub_channels', 'pubsub_patterns', 'pubsubshard_channels'],
    ...['tracking_total_keys', 'tracking_total_items', 'tracking_total_prefixes'],
  ];
  for (const name of none) t.equal(await figure(name), 0, name);
  t.ok((await figure('mem_clients_normal')) < 4096, 'no input and no output is held');
  t.equal(await observer.send('PUBLISH', 'news', 'x'), 0, 'nobody listens');
  t.equal(await observer.send('RPUSH', 'queue', 'x'), 1);
  t.equal(await observer.send('LLEN', 'queue'), 1, 'nobody who is gone was served');
});
