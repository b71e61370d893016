import t, { type Test } from 'tap';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { say } from '../support/reply-text.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* CLIENT and CONFIG, answered by the proxy: about the clients of all its threads. */

async function proxyOf(t: Test, options: object = {}) {
  const nodes = await fakeNodes(t, 3);
  const under = await proxyWith(t, {
    upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))),
    ...options,
  });
  return { ...under, nodes };
}

/** The fields of the lines of CLIENT LIST. */
async function listed(client: RespClient, ...filter: string[]): Promise<Record<string, string>[]> {
  const text = String(await say(client, 'CLIENT', 'LIST', ...filter));
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split(' ').map((field) => field.split('=', 2))));
}

/** Clients that are spread over the threads of the proxy, each connected. */
async function several(client: () => RespClient, count: number): Promise<RespClient[]> {
  const clients = Array.from({ length: count }, client);
  await Promise.all(clients.map((one) => one.text('PING')));
  return clients;
}

t.test('names, ids and what a client says of itself', async (t) => {
  const { client } = await proxyOf(t);
  const c = client();
  t.equal(await say(c, 'CLIENT', 'GETNAME'), null);
  t.equal(await c.text('CLIENT', 'SETNAME', 'me'), 'OK');
  t.equal(await c.text('CLIENT', 'GETNAME'), 'me');
  t.match(await say(c, 'CLIENT', 'SETNAME', 'a b'), { message: /^ERR Client names cannot contain spaces/ });
  t.equal(await c.text('CLIENT', 'SETINFO', 'LIB-NAME', 'lib'), 'OK');
  t.match(
    String(await say(c, 'CLIENT', 'INFO')),
    /^id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=-1 name=me age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 .* cmd=client\|info user=default redir=-1 resp=2 lib-name=lib lib-ver=\n$/,
  );
  t.match(String(await say(c, 'CLIENT', 'INFO')), / qbuf=26 /, 'the command that runs is still there');
  t.match(String(await say(c, 'CLIENT', 'LIST')), / qbuf=26 /);
  t.match(await say(c, 'CLIENT', 'NONSENSE'), {
    message: "ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP.",
  });
  t.match(await say(c, 'CLIENT', 'ID', 'x'), {
    message: "ERR wrong number of arguments for 'client|id' command",
  });
  t.equal(await c.text('CLIENT', 'NO-EVICT', 'ON'), 'OK');
});

for (const workers of [1, 2]) {
  t.test(`LIST and KILL reach the clients of all threads (${workers} workers)`, async (t) => {
    const { client } = await proxyOf(t, { workers, users: [{ name: 'app', rules: 'on >p +@all ~*' }] });
    const clients = await several(client, 10);
    const [me, other, third, ...rest] = clients;
    const ids = await Promise.all(clients.map(async (one) => Number(await say(one, 'CLIENT', 'ID'))));
    t.equal(new Set(ids).size, 10, 'no id is there twice');
    const all = await listed(me);
    t.equal(all.length, 10);
    t.same(
      all.map(({ id }) => Number(id)),
      ids.toSorted((a, b) => a - b),
    );
    t.match(await listed(me, 'ID', String(ids[3]), '999999'), [{ id: String(ids[3]) }]);
    t.equal((await listed(me, 'TYPE', 'normal')).length, 10);
    t.equal((await listed(me, 'TYPE', 'replica')).length, 0);
    t.match(await say(me, 'CLIENT', 'LIST', 'TYPE', 'odd'), { message: "ERR Unknown client type 'odd'" });
    t.match(await say(me, 'CLIENT', 'LIST', 'ID', 'x'), { message: 'ERR Invalid client ID' });
    t.match(await say(me, 'CLIENT', 'LIST', 'odd'), { message: 'ERR syntax error' });

    t.equal(await say(me, 'CLIENT', 'KILL', 'ID', String(ids[1])), 1);
    await until('the one of that id is gone', () => other.socket.destroyed);
    t.equal(await say(me, 'CLIENT', 'KILL', 'ID', String(ids[1])), 0);
    const addr = all.find(({ id }) => Number(id) === ids[2])!.addr;
    t.equal(await me.text('CLIENT', 'KILL', addr), 'OK');
    await until('the one of that address is gone', () => third.socket.destroyed);
    t.match(await say(me, 'CLIENT', 'KILL', addr), { message: 'ERR No such client' });
    t.match(await say(me, 'CLIENT', 'KILL', 'USER', 'nobody'), { message: "ERR No such user 'nobody'" });
    t.match(await say(me, 'CLIENT', 'KILL', 'ID', '0'), {
      message: 'ERR client-id should be greater than 0',
    });

    await Promise.all(rest.slice(0, 3).map((one) => one.text('AUTH', 'app', 'p')));
    t.equal(await say(me, 'CLIENT', 'KILL', 'USER', 'app'), 3);
    await until('those of the user are gone', () => rest.slice(0, 3).every(({ socket }) => socket.destroyed));
    t.equal(await say(me, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no'), 5, 'with the one who asks');
    await until('all are gone', () => clients.every(({ socket }) => socket.destroyed));
  });
}

t.test('REPLY', async (t) => {
  const { client } = await proxyOf(t);
  const c = client();
  const frames: string[] = [];
  await c.text('SET', 'n', '1');
  c.readFrames((buffer, start, end) => frames.push(buffer.latin1Slice(start, end)));
  const write = (...commands: string[]) => c.socket.write(commands.map((one) => `${one}\r\n`).join(''));
  write('CLIENT REPLY OFF', 'GET n', 'SET n 2', 'NONSENSE', 'MGET n a b c', 'CLIENT REPLY ON', 'GET n');
  await until('the replies from ON on are here', () => frames.length >= 2);
  t.same(frames.splice(0), ['+OK\r\n', '$1\r\n2\r\n']);
  write('CLIENT REPLY SKIP', 'GET n', 'GET n', 'CLIENT REPLY SKIP', 'MGET n a b', 'PING');
  await until('what was not skipped is here', () => frames.length >= 2);
  t.same(frames.splice(0), ['$1\r\n2\r\n', '+PONG\r\n']);
});

t.test('PAUSE lets commands wait, in order, in all threads', async (t) => {
  const { client, nodes } = await proxyOf(t, { workers: 2 });
  const clients = await several(client, 6);
  const [admin, ...others] = clients;
  t.equal(await admin.text('CLIENT', 'PAUSE', '60000', 'WRITE'), 'OK');
  const written = others.map((one, i) => one.text('SET', `key:${i}`, 'v'));
  const behind = others.map((one, i) => one.text('GET', `key:${i}`));
  t.equal(await admin.text('GET', 'key:0'), null, 'reads go on');
  t.equal(nodes.flatMap(({ names }) => names).filter((name) => name === 'SET').length, 0);
  const gone = client();
  gone.send('SET', 'gone', 'v').catch(() => {});
  await until('it waits', async () => (await listed(admin)).filter(({ cmd }) => cmd === 'set').length > 5);
  gone.socket.resetAndDestroy();
  await until('it is gone', async () => (await listed(admin)).length === 6);
  t.equal(await admin.text('CLIENT', 'UNPAUSE'), 'OK');
  t.ok((await Promise.all(written)).every((reply) => reply === 'OK'));
  t.ok(
    (await Promise.all(behind)).every((reply) => reply === 'v'),
    'and what came behind comes behind',
  );
  t.equal(await admin.text('GET', 'gone'), null, 'nobody has asked for it any more');

  t.equal(await admin.text('CLIENT', 'PAUSE', '30'), 'OK');
  t.equal(await others[0].text('PING'), 'PONG', 'it ends by itself');
  t.match(await say(admin, 'CLIENT', 'PAUSE', 'x'), {
    message: 'ERR timeout is not an integer or out of range',
  });
  t.match(await say(admin, 'CLIENT', 'PAUSE', '-1'), { message: 'ERR timeout is negative' });
  t.match(await say(admin, 'CLIENT', 'PAUSE', '1', 'ODD'), {
    message: 'ERR CLIENT PAUSE mode must be WRITE or ALL',
  });
});

t.test('CONFIG', async (t) => {
  const { client } = await proxyOf(t, { workers: 2 });
  const [c, ...others] = await several(client, 6);
  t.match(await say(c, 'CONFIG', 'GET', 'port', 'nonsense'), ['port', /^\d+$/]);
  const names = (await say(c, 'CONFIG', 'GET', 'slowlog-*')) as string[];
  t.same(names, ['slowlog-log-slower-than', '10000', 'slowlog-max-len', '128']);
  t.equal(await c.text('CONFIG', 'SET', 'slowlog-max-len', '7', 'timeout', '100'), 'OK');
  for (const one of [c, ...others])
    t.same(await say(one, 'CONFIG', 'GET', 'slowlog-max-len'), ['slowlog-max-len', '7']);
  const failed = (name: string, why: string) => ({
    message: `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`,
  });
  t.match(
    await say(c, 'CONFIG', 'SET', 'timeout', '5', 'slowlog-max-len', 'x'),
    failed('slowlog-max-len', "argument couldn't be parsed into an integer"),
  );
  t.same(await say(c, 'CONFIG', 'GET', 'timeout'), ['timeout', '100'], 'all or nothing');
  t.match(await say(c, 'CONFIG', 'SET', 'port', '1'), failed('port', "can't set immutable config"));
  t.match(
    await say(c, 'CONFIG', 'SET', 'timeout', '1', 'TIMEOUT', '2'),
    failed('TIMEOUT', 'duplicate parameter'),
  );
  t.match(await say(c, 'CONFIG', 'SET', 'nonsense', '1'), {
    message: "ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'",
  });
  t.match(
    await say(c, 'CONFIG', 'SET', 'latency-tracking', 'maybe'),
    failed('latency-tracking', "argument must be 'yes' or 'no'"),
  );
  t.match(await say(c, 'CONFIG', 'REWRITE'), { message: 'ERR The server is running without a config file' });
  t.equal(await c.text('CONFIG', 'RESETSTAT'), 'OK');
});

t.test('commands in a pipeline behind one that asks all threads keep their order', async (t) => {
  const { client } = await proxyOf(t, { workers: 2 });
  const c = client();
  const replies = await Promise.all([
    c.text('SET', 'a', '1'),
    c.text('CLIENT', 'LIST'),
    c.text('GET', 'a'),
    c.text('CONFIG', 'SET', 'timeout', '0'),
    c.text('MGET', 'a', 'b', 'c'),
    c.text('PING'),
  ]);
  t.match(replies, ['OK', /^id=/, '1', 'OK', /./, 'PONG']);
});
