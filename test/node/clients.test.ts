import { once } from 'node:events';
import t from 'tap';
import { RespError } from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Clients that race, wait, go away, do not read, or are sent away: over real sockets. */

t.test('clients', async (t) => {
  const node = await startStandaloneNode(t, '--set', 'node.limits.maxOutputBytes=1mb');
  const open: RespClient[] = [];
  const connect = () => {
    const client = new RespClient(node.ready.resp);
    open.push(client);
    return client;
  };
  t.teardown(() => {
    for (const client of open) client.close();
  });
  const admin = connect();
  const field = async (section: string, name: string) =>
    new RegExp(`^${name}:(.*)\r$`, 'm').exec((await admin.text('INFO', section))!)?.[1];
  const blockedAre = (count: number) =>
    until(
      `${count} clients are blocked`,
      async () => (await field('clients', 'blocked_clients')) === `${count}`,
    );
  const line = async (client: RespClient) => (await client.text('CLIENT', 'INFO'))!;
  const idOf = async (client: RespClient) => Number(await client.send('CLIENT', 'ID'));

  t.beforeEach(() => admin.send('FLUSHALL'));

  t.test('of two who increment under WATCH none is lost', async (t) => {
    let retries = 0;
    const increment = async (client: RespClient) => {
      for (let done = 0; done < 100; ) {
        await client.send('WATCH', 'counter');
        const value = Number((await client.text('GET', 'counter')) ?? 0);
        const replies = [client.send('MULTI'), client.send('SET', 'counter', value + 1), client.send('EXEC')];
        if ((await Promise.all(replies))[2] === null) retries++;
        else done++;
      }
    };
    await Promise.all([increment(connect()), increment(connect())]);
    t.equal(await admin.text('GET', 'counter'), '200');
    t.ok(retries > 0, `they got in each other's way ${retries} times`);
  });

  t.test('a transaction is seen whole or not at all', async (t) => {
    const [writer, reader] = [connect(), connect()];
    let torn = 0;
    const reading = (async () => {
      for (let i = 0; i < 300; i++) {
        const [a, b] = (await reader.send('MGET', 'a', 'b')) as (Buffer | null)[];
        if (String(a) !== String(b)) torn++;
      }
    })();
    for (let i = 0; i < 300; i++) {
      for (const command of [['MULTI'], ['SET', 'a', i], ['SET', 'b', i]]) void writer.send(...command);
      await writer.send('EXEC');
    }
    await reading;
    t.equal(torn, 0);
  });

  t.test('many who wait for one list get one element each, in the order they came', async (t) => {
    const waiters = Array.from({ length: 20 }, connect);
    const order: number[] = [];
    const replies: Promise<unknown>[] = [];
    for (const [i, waiter] of waiters.entries()) {
      replies.push(
        waiter.send('BLPOP', 'jobs', 0).then((reply) => order.push(i, Number((reply as Buffer[])[1]))),
      );
      await blockedAre(i + 1);
    }
    const pushers = [connect(), connect()];
    for (let i = 0; i < 20; i++) void pushers[i % 2].send('RPUSH', 'jobs', '7');
    await Promise.all(replies);
    t.strictSame(
      order.filter((_, i) => i % 2 === 0),
      [...waiters.keys()],
    );
    t.equal(await admin.send('LLEN', 'jobs'), 0);
    await blockedAre(0);
  });

  t.test('who goes away while it waits takes nothing with it', async (t) => {
    const [gone, next] = [connect(), connect()];
    gone.send('BLPOP', 'jobs', 0).catch(() => {});
    await blockedAre(1);
    // What was sent behind the blocked command must not keep the node from seeing the end.
    gone.send('PING').catch(() => {});
    gone.close();
    await blockedAre(0);
    const served = next.send('BLPOP', 'jobs', 0);
    await blockedAre(1);
    await admin.send('RPUSH', 'jobs', 'x');
    t.strictSame(await served, [Buffer.from('jobs'), Buffer.from('x')]);
  });

  t.test('CLIENT UNBLOCK ends a wait; commands behind it run then', async (t) => {
    const waiter = connect();
    const id = await idOf(waiter);
    const replies = [waiter.send('BLPOP', 'none', 0), waiter.send('PING')];
    await blockedAre(1);
    t.equal(await admin.send('CLIENT', 'UNBLOCK', id), 1);
    t.strictSame((await Promise.all(replies)).map(String), ['null', 'PONG']);
    const failing = waiter.send('BLMOVE', 'none', 'other', 'LEFT', 'LEFT', 0);
    await blockedAre(1);
    t.equal(await admin.send('CLIENT', 'UNBLOCK', id, 'ERROR'), 1);
    t.equal(((await failing) as RespError).message, 'UNBLOCKED client unblocked via CLIENT UNBLOCK');
    t.equal(await admin.send('CLIENT', 'UNBLOCK', id), 0, 'it does not wait any more');
    const waiting = waiter.send('WAIT', 1, 0);
    await blockedAre(1);
    t.equal(await admin.send('CLIENT', 'UNBLOCK', id), 1);
    t.equal(await waiting, 0);
  });

  t.test('a pause of everything holds everybody, and ends by itself', async (t) => {
    const clients = [connect(), connect()];
    const order: string[] = [];
    t.equal(await admin.text('CLIENT', 'PAUSE', 200), 'OK');
    const replies = clients.map((client, i) => client.send('SET', 'a', i).then(() => order.push(`set ${i}`)));
    const asked = admin.send('CLIENT', 'UNPAUSE').then(() => order.push('unpause'));
    await Promise.all([...replies, asked]);
    t.equal(order.length, 3, 'not even CLIENT UNPAUSE gets through');
    t.equal(await admin.text('PING'), 'PONG');
  });

  t.test('nothing expires while writes pause', async (t) => {
    const [writer, reader] = [connect(), connect()];
    const before = Number(await field('stats', 'expired_keys'));
    const soon = writer.send('SET', 'soon', 'x', 'PX', 500);
    await Promise.all([soon, writer.send('CLIENT', 'PAUSE', 100_000, 'WRITE')]);
    await until('the key is hidden', async () => (await reader.text('GET', 'soon')) === null);
    t.equal(Number(await field('stats', 'expired_keys')), before);
    t.equal(await admin.send('DBSIZE'), 1);
    await admin.send('CLIENT', 'UNPAUSE');
    await until('it is removed', async () => (await admin.send('DBSIZE')) === 0);
  });

  t.test('RESP2: invalidations go to a connection that listens for them', async (t) => {
    const [reader, listener] = [connect(), connect()];
    const id = await idOf(listener);
    await listener.send('SUBSCRIBE', '__redis__:invalidate');
    const heard: string[] = [];
    listener.socket.on('data', (chunk: Buffer) => heard.push(chunk.latin1Slice().replaceAll('\r\n', ' ')));
    t.equal(await reader.text('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id), 'OK');
    t.equal(await reader.send('CLIENT', 'GETREDIR'), id);
    await reader.send('GET', 'a');
    await reader.send('MGET', 'a', 'b');
    await admin.send('SET', 'a', 1);
    await admin.send('SET', 'b', 1);
    await until('both are heard of', async () => heard.join('').split('invalidate').length === 3);
    const invalidation = (key: string) => `*3 $7 message $20 __redis__:invalidate *1 $1 ${key} `;
    t.equal(heard.join(''), invalidation('a') + invalidation('b'));
    t.match(await line(reader), / flags=t .* redir=\d+ /);
    await reader.send('GET', 'a');
    listener.close();
    await until('the listener is gone', async () => !(await admin.text('CLIENT', 'LIST', 'ID', id)));
    await admin.send('SET', 'a', 2);
    t.match(await line(reader), / flags=tR /);
    t.match(await reader.send('CLIENT', 'TRACKINGINFO'), [Buffer.from('flags'), [/on/, /broken_redirect/]]);
  });

  t.test('the table of tracked keys stays within its limit', async (t) => {
    const reader = connect();
    await reader.send('HELLO', 3);
    await reader.send('CLIENT', 'TRACKING', 'ON');
    await admin.send('CONFIG', 'SET', 'tracking-table-max-keys', 10);
    let pushed = 0;
    reader.socket.removeAllListeners('data');
    reader.socket.on('data', (chunk: Buffer) => {
      pushed += chunk.latin1Slice().split('invalidate').length - 1;
    });
    for (let i = 0; i < 50; i++) reader.send('GET', `k${i}`).catch(() => {});
    await until('40 are declared changed', async () => pushed === 40);
    t.equal(await field('stats', 'tracking_total_keys'), '10');
    await admin.send('CONFIG', 'SET', 'tracking-table-max-keys', 1_000_000);
  });

  t.test('a subscriber that does not read is cut off; the others hear everything', async (t) => {
    const [deaf, good] = [connect(), connect()];
    await Promise.all([deaf, good].map((client) => client.send('SUBSCRIBE', 'news')));
    deaf.socket.pause();
    let heard = 0;
    good.socket.on('data', (chunk: Buffer) => {
      heard += chunk.length;
    });
    const news = 'x'.repeat(100_000);
    let sent = 0;
    await until('one of two is left', async () => {
      sent++;
      return (await admin.send('PUBLISH', 'news', news)) === 1;
    });
    const each = `*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$100000\r\n${news}\r\n`.length;
    await until('all is heard', async () => heard === sent * each);
    t.match(node.stderr() + node.stdout(), /more replies wait than limits.maxOutputBytes/);
    good.close();
    await until('nobody listens', async () => (await admin.text('CLIENT', 'LIST', 'TYPE', 'pubsub')) === '');
  });

  t.test('CLIENT KILL by type; CLIENT LIST says what clients do', async (t) => {
    const [listener, queueing] = [connect(), connect()];
    await listener.send('PSUBSCRIBE', 'a*');
    await queueing.send('MULTI');
    await queueing.send('SELECT', 5);
    const list = (await admin.text('CLIENT', 'LIST'))!;
    t.match(list, / flags=P db=0 sub=0 psub=1 ssub=0 multi=-1 /);
    t.match(list, / flags=x db=0 sub=0 psub=0 ssub=0 multi=1 .*multi-mem=[1-9]/);
    t.match(await admin.text('CLIENT', 'LIST', 'TYPE', 'pubsub'), /^id=.* flags=P .*\n$/);
    const closed = once(listener.socket, 'close');
    t.equal(await admin.send('CLIENT', 'KILL', 'TYPE', 'pubsub'), 1);
    await closed;
    t.equal(await admin.text('CLIENT', 'LIST', 'TYPE', 'pubsub'), '');
    t.equal(await admin.send('PUBLISH', 'abc', 'x'), 0);
  });
});

t.test('a transaction counts against what unfinished commands may take', async (t) => {
  const node = await startStandaloneNode(t, '--set', 'node.limits.maxBulkBytes=1mb');
  const [greedy, other] = [new RespClient(node.ready.resp), new RespClient(node.ready.resp)];
  t.teardown(() => [greedy, other].map((client) => client.close()));
  await greedy.send('MULTI');
  const value = 'x'.repeat(500_000);
  let refused: unknown;
  await until('the transaction is too large', async () => {
    refused = await greedy.send('SET', 'a', value);
    return refused instanceof RespError;
  });
  t.match((refused as RespError).message, /^OVERLOADED .*transactions/);
  t.equal(await other.text('SET', 'b', 'fine'), 'OK');
});
