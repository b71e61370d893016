import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { configFrom } from '../../lib/config/index.ts';
import { threadOf } from '../support/proxy-thread.ts';
import { fakeNodes, proxyWith, upstreamsOf } from '../support/proxy-under-test.ts';
import { type Said, say } from '../support/reply-text.ts';
import type { RespClient } from '../support/resp-client.ts';
import { until } from '../support/until.ts';

/* Users and rules, as the proxy enforces them for its clients. */

const NOT_THE_COMMAND = (name: string) => ({
  message: `NOPERM this user has no permissions to run the '${name}' command`,
});
const NOT_THE_KEYS = {
  message: 'NOPERM this user has no permissions to access one of the keys used as arguments',
};
const NOT_THE_CHANNELS = {
  message: 'NOPERM this user has no permissions to access one of the channels used as arguments',
};

async function proxyOf(t: Test, options: object) {
  const nodes = await fakeNodes(t, 3);
  const under = await proxyWith(t, {
    upstreams: upstreamsOf(nodes.map((leader) => ({ leader }))),
    ...options,
  });
  const as = async (name: string, password: string): Promise<RespClient> => {
    const client = under.client();
    t.equal(await client.text('AUTH', name, password), 'OK', `${name} logs in`);
    return client;
  };
  return { ...under, nodes, as };
}

const users = [
  { name: 'reader', rules: 'on >r ~app:* &news:* +@read +@connection +@pubsub -keys' },
  { name: 'writer', rules: 'on >w %R~shared:* %W~out:* ~own:* +@all' },
  { name: 'asleep', rules: 'off >a ~* +@all' },
  { name: 'small', rules: 'on >s ~* +get +config|get +client|id (~extra:* +set)' },
];

t.test('a user may do what its rules say, and nothing else', async (t) => {
  const { as, client, nodes } = await proxyOf(t, { users });
  await client().text('MSET', 'app:1', 'a', 'app:2', 'b', 'other', 'c');
  const reader = await as('reader', 'r');
  t.equal(await reader.text('GET', 'app:1'), 'a');
  t.match(await say(reader, 'GET', 'other'), NOT_THE_KEYS);
  t.match(await say(reader, 'SET', 'app:1', 'x'), NOT_THE_COMMAND('set'));
  t.match(await say(reader, 'KEYS', '*'), NOT_THE_COMMAND('keys'));
  t.match(await say(reader, 'ACL', 'LIST'), NOT_THE_COMMAND('acl|list'));
  t.match(await say(reader, 'CONFIG', 'GET', 'port'), NOT_THE_COMMAND('config|get'));
  t.match(await say(reader, 'nonsense'), { message: /^ERR unknown command 'nonsense'/ });
  t.equal(nodes.flatMap((node) => node.names).filter((name) => name === 'KEYS').length, 0);

  const small = await as('small', 's');
  t.match(await say(small, 'CONFIG', 'GET', 'port'), ['port', /^\d+$/], 'one subcommand alone');
  t.match(await say(small, 'CONFIG', 'SET', 'timeout', '1'), NOT_THE_COMMAND('config|set'));
  t.equal(await small.text('SET', 'extra:1', 'v'), 'OK', 'a selector');
  t.match(await say(small, 'SET', 'app:1', 'v'), NOT_THE_KEYS);
});

t.test('every key of a command is checked, wherever its shard is', async (t) => {
  const { as } = await proxyOf(t, { users });
  const reader = await as('reader', 'r');
  const keys = Array.from({ length: 20 }, (_, i) => `app:${i}`);
  t.equal(((await say(reader, 'MGET', ...keys)) as Said[]).length, 20);
  t.match(await say(reader, 'MGET', ...keys, 'other'), NOT_THE_KEYS);
  t.match(await say(reader, 'EXISTS', 'other', ...keys), NOT_THE_KEYS);
  const writer = await as('writer', 'w');
  t.equal(await writer.text('MSET', 'out:1', 'a', 'own:1', 'b'), 'OK');
  t.match(await say(writer, 'MSET', 'out:1', 'a', 'shared:1', 'b'), NOT_THE_KEYS, 'may only be read');
  t.match(await say(writer, 'MGET', 'own:1', 'out:1'), NOT_THE_KEYS, 'may only be written');
  t.match(await say(writer, 'DEL', 'own:1', 'shared:1'), NOT_THE_KEYS);
});

t.test('a value that comes in many pieces is no way around the rules', async (t) => {
  const { as, nodes } = await proxyOf(t, { users });
  const writer = await as('writer', 'w');
  const big = Buffer.alloc(3 << 20, 'x');
  t.match(await say(writer, 'SET', 'shared:big', big), NOT_THE_KEYS);
  t.equal(await writer.text('SET', 'own:big', big), 'OK');
  const held = nodes.flatMap((node) => [...node.store.keys()]);
  t.same(held, ['own:big']);
});

t.test('channels', async (t) => {
  const { as } = await proxyOf(t, { users });
  const reader = await as('reader', 'r');
  t.match(await say(reader, 'SUBSCRIBE', 'news:a', 'private'), NOT_THE_CHANNELS);
  t.match(await say(reader, 'PSUBSCRIBE', 'news:a*'), NOT_THE_CHANNELS, 'a pattern must be allowed as it is');
});

t.test('transactions', async (t) => {
  const { as, client } = await proxyOf(t, { users });
  const writer = await as('writer', 'w');
  t.equal(await writer.text('MULTI'), 'OK');
  t.equal(await writer.text('SET', 'own:1', 'a'), 'QUEUED');
  t.match(await say(writer, 'SET', 'shared:1', 'b'), NOT_THE_KEYS);
  t.match(await say(writer, 'EXEC'), { message: /^EXECABORT/ });
  t.equal(await writer.text('MULTI'), 'OK');
  t.equal(await writer.text('SET', 'own:1', 'a'), 'QUEUED');
  t.equal(await client().text('ACL', 'SETUSER', 'writer', '-set'), 'OK');
  t.match(await say(writer, 'EXEC'), {
    message:
      /^NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call/,
  });
  const log = (await say(client(), 'ACL', 'LOG')) as Said[][];
  t.match(log[1], ['count', 1, 'reason', 'key', 'context', 'multi', 'object', 'shared:1']);
});

t.test('logging in', async (t) => {
  const { client } = await proxyOf(t, { users, requirePass: 'secret' });
  const c = client();
  t.match(await say(c, 'GET', 'a'), { message: 'NOAUTH Authentication required.' });
  t.match(await say(c, 'AUTH', 'asleep', 'a'), { message: /^WRONGPASS/ }, 'is off');
  t.match(await say(c, 'AUTH', 'reader', 'w'), { message: /^WRONGPASS/ });
  t.match(await say(c, 'AUTH', 'nobody', 'w'), { message: /^WRONGPASS/ });
  t.match(await say(c, 'HELLO', '3'), {
    message:
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
  });
  t.match(await say(c, 'HELLO', '3', 'AUTH', 'reader', 'no'), { message: /^WRONGPASS/ });
  t.ok(await say(c, 'HELLO', '3', 'AUTH', 'reader', 'r'));
  t.equal(await c.text('GET', 'app:1'), null);
  t.equal(await c.text('RESET'), 'RESET');
  t.match(await say(c, 'GET', 'app:1'), { message: /^NOAUTH/ }, 'RESET logs out');
  t.equal(await c.text('AUTH', 'secret'), 'OK', 'one word is the default user');
  t.equal(await c.text('ACL', 'WHOAMI'), 'default');
  const log = (await say(c, 'ACL', 'LOG')) as Said[][];
  t.match(
    log.map((entry) => [entry[3], entry[7], entry[9]]),
    [
      ['auth', 'hello', 'reader'],
      ['auth', 'auth', 'nobody'],
      ['auth', 'auth', 'reader'],
      ['auth', 'auth', 'asleep'],
    ],
  );
  t.match(log[0][13], /^id=\d+ addr=127\.0\.0\.1:\d+ .* user=default /);
  t.equal(await c.text('ACL', 'LOG', 'RESET'), 'OK');
  t.same(await say(c, 'ACL', 'LOG'), []);
});

t.test('without a password AUTH with one word is refused', async (t) => {
  const { client } = await proxyOf(t, {});
  const c = client();
  t.match(await say(c, 'AUTH', 'x'), {
    message: /^ERR AUTH <password> called without any password configured/,
  });
  t.equal(await c.text('AUTH', 'default', 'anything'), 'OK');
});

for (const workers of [1, 2]) {
  t.test(`users change while clients are connected (${workers} workers)`, async (t) => {
    const { client, as } = await proxyOf(t, { workers });
    const admin = client();
    t.equal(await admin.text('ACL', 'SETUSER', 'app', 'on', '>p', '~app:*', '+@all'), 'OK');
    // Enough of them that every thread has some.
    const apps = await Promise.all(Array.from({ length: 8 }, () => as('app', 'p')));
    for (const app of apps) t.equal(await app.text('SET', 'app:1', 'v'), 'OK');
    t.equal(await admin.text('ACL', 'SETUSER', 'app', '-set'), 'OK');
    for (const app of apps) t.match(await say(app, 'SET', 'app:1', 'v'), NOT_THE_COMMAND('set'));
    t.match(await say(admin, 'ACL', 'USERS'), ['app', 'default']);
    t.match(await say(admin, 'ACL', 'LIST'), [
      /^user app on #[0-9a-f]{64} ~app:\* resetchannels \+@all -set$/,
      /^user default on nopass ~\* &\* \+@all$/,
    ]);
    t.match(await say(admin, 'ACL', 'GETUSER', 'app'), [
      'flags',
      ['on'],
      'passwords',
      [/^[0-9a-f]{64}$/],
      'commands',
      '+@all -set',
      'keys',
      '~app:*',
    ]);
    t.equal(await say(admin, 'ACL', 'GETUSER', 'nobody'), null);
    t.match(await say(admin, 'ACL', 'SETUSER', 'app', '+nonsense'), {
      message: "ERR Error in ACL SETUSER modifier '+nonsense': Unknown command or category name in ACL",
    });
    t.match(await say(admin, 'ACL', 'DELUSER', 'default'), {
      message: "ERR The 'default' user cannot be removed",
    });
    t.equal(await say(admin, 'ACL', 'DELUSER', 'app', 'nobody'), 1);
    await until('clients of a deleted user are gone', () => apps.every(({ socket }) => socket.destroyed));
    t.equal(await admin.text('PING'), 'PONG');
  });
}

t.test('a user who deletes itself hears of it', async (t) => {
  const { client, as } = await proxyOf(t, {});
  await client().text('ACL', 'SETUSER', 'me', 'on', '>p', '+@all');
  const me = await as('me', 'p');
  t.equal(await say(me, 'ACL', 'DELUSER', 'me'), 1);
  await until('the connection is gone', () => me.socket.destroyed);
});

t.test('CAT, GENPASS, DRYRUN', async (t) => {
  const { client } = await proxyOf(t, { users });
  const c = client();
  t.ok(((await say(c, 'ACL', 'CAT')) as string[]).includes('dangerous'));
  t.ok(((await say(c, 'ACL', 'CAT', 'string')) as string[]).includes('get'));
  t.match(await say(c, 'ACL', 'CAT', 'nonsense'), { message: "ERR Unknown category 'nonsense'" });
  t.match(await c.text('ACL', 'GENPASS'), /^[0-9a-f]{64}$/);
  t.match(await c.text('ACL', 'GENPASS', '5'), /^[0-9a-f]{2}$/);
  t.match(await say(c, 'ACL', 'GENPASS', '0'), { message: /^ERR ACL GENPASS argument must be/ });
  t.equal(await c.text('ACL', 'DRYRUN', 'reader', 'GET', 'app:1'), 'OK');
  t.equal(
    await c.text('ACL', 'DRYRUN', 'reader', 'GET', 'other'),
    "This user has no permissions to access the 'other' key",
  );
  t.equal(
    await c.text('ACL', 'DRYRUN', 'reader', 'SET', 'app:1', 'v'),
    "This user has no permissions to run the 'set' command",
  );
  t.match(await say(c, 'ACL', 'DRYRUN', 'nobody', 'GET', 'a'), { message: "ERR User 'nobody' not found" });
  t.ok(((await say(c, 'ACL', 'HELP')) as string[]).some((line) => line.startsWith('SETUSER')));
});

t.test('an ACL file is read, written and read again, by all threads', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-acl-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const aclFile = join(folder, 'users.acl');
  writeFileSync(aclFile, 'user default on nopass ~* &* +@all\nuser app on >p ~app:* +@all\n');
  const { client, as } = await proxyOf(t, { aclFile, workers: 2 });
  const admin = client();
  const app = await as('app', 'p');
  t.match(await say(app, 'GET', 'other'), NOT_THE_KEYS);
  t.equal(await admin.text('ACL', 'SETUSER', 'more', 'on', '>m', '~*', '+get'), 'OK');
  t.equal(await admin.text('ACL', 'SAVE'), 'OK');
  t.match(
    readFileSync(aclFile, 'utf8'),
    /^user app on #[0-9a-f]{64} ~app:\*.*\nuser default .*\nuser more /m,
  );

  writeFileSync(aclFile, 'user default on nopass ~* &* +@all\nuser app on >p ~other +@all\n');
  t.equal(await admin.text('ACL', 'LOAD'), 'OK');
  t.equal(await app.text('GET', 'other'), null, 'who is still there goes on with the new rules');
  t.match(await say(admin, 'ACL', 'USERS'), ['app', 'default'], 'who is not in the file is gone');

  writeFileSync(aclFile, 'user app on +@nonsense\nuser\n');
  t.match(await say(admin, 'ACL', 'LOAD'), {
    message: new RegExp(
      `^ERR ${aclFile}:1: Error in applying operation '\\+@nonsense': Unknown command or category name in ACL\\. ` +
        `${aclFile}:2 should start with user keyword followed by the username\\. WARNING: ACL errors detected`,
    ),
  });
  t.match(await say(admin, 'ACL', 'USERS'), ['app', 'default'], 'and nothing has changed');
});

t.test('without a file LOAD and SAVE are refused', async (t) => {
  const { client } = await proxyOf(t, {});
  t.match(await say(client(), 'ACL', 'SAVE'), {
    message: /^ERR This Redis instance is not configured to use an ACL file/,
  });
});

t.test('wrong users stop the start, with their place', async (t) => {
  const upstreams = [{ name: 's0', leader: '127.0.0.1:1' }];
  await t.rejects(proxyWith(t, { upstreams, users: [{ name: 'a', rules: 'on +nonsense' }] }), {
    code: 'config_invalid',
    message: /^`proxy.users.0.rules`: Error in ACL SETUSER modifier '\+nonsense'/,
  });
  await t.rejects(proxyWith(t, { upstreams, aclFile: '/nonexistent/users.acl' }), {
    code: 'config_invalid',
    message: /^`proxy.aclFile`: .*ENOENT/,
  });
});

t.test('CONFIG SET requirepass is the password of the default user, over HTTP too', async (t) => {
  const { client, proxy } = await proxyOf(t, { httpPort: 'auto' });
  const admin = client();
  await admin.text('SET', 'app:1', 'v');
  const get = async (authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization };
    const { statusCode, body } = await request(`http://${proxy.listeners.http}/v1/key/app:1`, { headers });
    await body.dump();
    return statusCode;
  };
  t.not(await get(), 401);
  t.equal(await admin.text('CONFIG', 'SET', 'requirepass', 'secret'), 'OK');
  t.match(await say(client(), 'GET', 'a'), { message: /^NOAUTH/ });
  t.equal(await admin.text('PING'), 'PONG', 'who is logged in stays so');
  t.equal(await get(), 401);
  t.equal(await get('Bearer wrong'), 401);
  t.not(await get('Bearer secret'), 401);
  await admin.text('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*');
  t.equal(await get('Bearer secret'), 403, 'its rules hold there too');
});

t.test('what a thread begins with is what the others have', async (t) => {
  const { thread: first } = threadOf(t, { users });
  first.desk.answer('users', {
    kind: 'set',
    name: 'late',
    rules: ['on', '>l', '%R~a:*', '&c', '+@all', '-set', '(+get ~b)'],
  });
  first.desk.answer('users', { kind: 'delete', names: ['small'] });
  first.desk.answer('settings', [
    ['requirepass', 'p ä'],
    ['slowlog-log-slower-than', '5'],
    ['acl-pubsub-default', 'allchannels'],
  ]);
  const { thread: second } = threadOf(t, { users }, structuredClone(first.state));
  t.same(second.state, first.state);
  t.match(
    second.state.users,
    /^user late on #[0-9a-f]{64} %R~a:\* resetchannels &c \+@all -set \(~b .*\+get\)$/m,
  );
  t.ok(second.access.users.default.accepts(Buffer.from('p ä').latin1Slice()));
  t.ok(second.watch.quiet === 0, 'and goes by it');
});

t.test('users come from one place', async (t) => {
  const refused = (proxy: object, message: RegExp) => t.throws(() => configFrom({ proxy }), { message });
  refused({ aclFile: '/a', users }, /`proxy.users` and `proxy.aclFile` exclude each other/);
  refused({ aclFile: '/a', requirePass: 'p' }, /`proxy.requirePass` and `proxy.aclFile` exclude each other/);
  refused({ users: [users[0], users[0]] }, /`proxy.users.1.name` is "reader"/);
  refused({ accessLog: { sample: 2 } }, /`proxy.accessLog.sample` must be a number from 0 to 1/);
});
