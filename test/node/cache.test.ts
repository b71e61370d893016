import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { folder } from '../support/folder.ts';
import { RespClient } from '../support/resp-client.ts';
import { type Ringside, runRingside, startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What a node does beyond Redis: versions, leases, soft expiry, fences, tags, over real sockets. */

const CLIENTS = 50;
const TAGGED_KEYS = 100_000;

/** The reply of RS.GET by name. */
interface Read {
  readonly value: string | null;
  readonly version: string;
  readonly flags: number;
  readonly ttlMs: number;
  readonly softTtlMs: number;
  readonly state: string;
  readonly token: string | null;
  readonly leaseMs: number;
}

const text = (reply: RespValue) => (reply === null ? null : String(reply));

async function read(client: RespClient, key: string, ...options: string[]): Promise<Read> {
  const reply = await client.send('RS.GET', key, ...options);
  if (!Array.isArray(reply)) throw new Error(String(reply));
  const [value, version, flags, ttlMs, softTtlMs, state, token, leaseMs] = reply;
  return {
    value: text(value),
    version: String(version),
    flags: Number(flags),
    ttlMs: Number(ttlMs),
    softTtlMs: Number(softTtlMs),
    state: String(state),
    token: text(token),
    leaseMs: Number(leaseMs),
  };
}

function connect(t: Test, node: Ringside): RespClient {
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return client;
}

/** What an error says, or the reply as text. */
const said = async (reply: Promise<RespValue>) => {
  const value = await reply;
  return value instanceof Error ? value.message : text(value);
};

/** Sends a command that is a list. */
const sendAll = (client: RespClient, [name, ...rest]: readonly (string | Buffer)[]) =>
  client.send(name, ...rest);

t.test('one node, many clients', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node);

  await t.test(
    'versions, flags and times to live come with the value; a plain SET clears them',
    async (t) => {
      t.same(await read(client, 'none'), {
        value: null,
        version: '0',
        flags: 0,
        ttlMs: -2,
        softTtlMs: -2,
        state: 'miss',
        token: null,
        leaseMs: 0,
      });
      const version = await client.text(
        'RS.SET',
        'a',
        'one',
        'PX',
        '100000',
        'SOFTPX',
        '50000',
        'FLAGS',
        '4294967295',
      );
      const first = await read(client, 'a');
      t.match(first, { value: 'one', version, flags: 4294967295, state: 'hit', token: null });
      t.ok(first.ttlMs > 90_000 && first.ttlMs <= 100_000);
      t.ok(first.softTtlMs > 40_000 && first.softTtlMs <= 50_000);
      t.equal((await read(client, 'a', 'NOVALUE')).value, null);
      await client.send('INCRBY', 'n', '1');
      await client.send('RS.MARK', 'n', 'FLAGS', '5');
      await client.send('INCRBY', 'n', '1');
      t.match(await read(client, 'n'), { value: '2', flags: 5 }, 'arithmetic keeps the flags');
      await client.send('SET', 'a', 'two');
      t.match(await read(client, 'a'), { value: 'two', flags: 0, ttlMs: -1, softTtlMs: -1 });
      t.ok(BigInt((await read(client, 'a')).version) > BigInt(version!));
    },
  );

  await t.test('conditions', async (t) => {
    const version = await client.text('RS.SET', 'c', '1', 'NX');
    t.equal(await said(client.send('RS.SET', 'c', '2', 'NX')), `PRECONDITION the key has version ${version}`);
    t.equal(
      await said(client.send('RS.SET', 'c', '2', 'IFVERSION', '1')),
      `PRECONDITION the key has version ${version}`,
    );
    t.equal(await said(client.send('RS.SET', 'gone', '2', 'XX')), 'PRECONDITION the key has version 0');
    t.equal(
      await said(client.send('RS.DEL', 'c', 'IFVERSION', '1')),
      `PRECONDITION the key has version ${version}`,
    );
    const second = await client.text('RS.SET', 'c', '2', 'IFVERSION', version!);
    t.equal((await read(client, 'c')).value, '2');
    t.equal(await said(client.send('RS.DEL', 'c', 'IFVERSION', second!)), '1');
    t.equal(await said(client.send('RS.DEL', 'c')), '0');
    t.match(await client.text('RS.SET', 'c', '3', 'IFVERSION', '0'), /^\d+$/, 'version 0 is: not there');
  });

  await t.test('bad input changes nothing', async (t) => {
    await client.send('SET', 'b', 'kept');
    const cases: [string, string[]][] = [
      ['ERR syntax error', ['NX', 'XX']],
      ['ERR syntax error', ['PX', '5', 'KEEPTTL']],
      ['ERR syntax error', ['TAGS', '2', 'one']],
      ['ERR syntax error', ['WHAT']],
      ['ERR flags are not a number of 32 bits', ['FLAGS', '4294967296']],
      ['ERR the version is not a number of 64 bits', ['IFVERSION', '18446744073709551616']],
      ['ERR the fencing token is not a number of 64 bits', ['FENCE', 'lock', '-1']],
      ['ERR the name of a fence has 1 to 512 bytes', ['FENCE', '', '1']],
      ["ERR invalid expire time in 'rs.set' command", ['PX', '0']],
      ['ERR invalid soft expire time', ['SOFTPX', '-1']],
      ['ERR value is not an integer or out of range', ['EX', 'soon']],
      ['ERR a key may have at most 64 tags', ['TAGS', '65']],
      ['ERR a tag has 1 to 512 bytes', ['TAGS', '1', '']],
      ['LEASEVOID The lease is over, or the key was written meanwhile.', ['LEASE', 'never-given']],
    ];
    for (const [message, options] of cases)
      t.equal(await said(client.send('RS.SET', 'b', 'lost', ...options)), message, options.join(' '));
    t.equal(await said(client.send('RS.GET', 'b', 'LEASE', '0')), 'ERR a lease runs 1 to 3600000 ms');
    t.equal(await client.text('GET', 'b'), 'kept');
    await client.send('LPUSH', 'list', 'x');
    t.match(await said(client.send('RS.GET', 'list')), /^WRONGTYPE/);
  });

  await t.test(
    'compare-and-set: of concurrent writers on one version exactly one wins each round',
    async (t) => {
      const clients = Array.from({ length: 8 }, () => connect(t, node));
      await client.send('SET', 'counter', '0');
      const increments = clients.map(async (own) => {
        for (let done = 0; done < 50; ) {
          const { value, version } = await read(own, 'counter');
          const reply = await said(
            own.send('RS.SET', 'counter', String(Number(value) + 1), 'IFVERSION', version),
          );
          if (reply?.startsWith('PRECONDITION')) continue;
          done++;
        }
      });
      await Promise.all(increments);
      t.equal(await client.text('GET', 'counter'), String(8 * 50), 'no increment is lost');
    },
  );

  await t.test('a miss gives one of many clients the lease', async (t) => {
    const clients = Array.from({ length: CLIENTS }, () => connect(t, node));
    const reads = await Promise.all(clients.map((own) => read(own, 'popular', 'LEASE')));
    const holders = reads.filter(({ token }) => token !== null);
    t.equal(holders.length, 1, 'one token');
    t.equal(holders[0].leaseMs, 10_000);
    t.ok(reads.every(({ state }) => state === 'miss'));
    t.ok(
      reads.every(({ leaseMs }) => leaseMs > 1000 && leaseMs <= 10_000),
      'the others know that it is being filled',
    );
    const late = await said(clients[0].send('RS.SET', 'popular', 'x', 'LEASE', '0123456789abcdef'));
    t.match(late, /^LEASEVOID/, 'a token that is not the right one');
    await client.send('RS.SET', 'popular', 'filled', 'LEASE', holders[0].token!);
    t.match(await read(clients[1], 'popular', 'LEASE'), {
      value: 'filled',
      state: 'hit',
      token: null,
      leaseMs: 0,
    });
    t.match(
      await said(client.send('RS.SET', 'popular', 'x', 'LEASE', holders[0].token!)),
      /^LEASEVOID/,
      'once',
    );
  });

  await t.test('a plain write, a deletion, also of nothing, and a flush void the token', async (t) => {
    const other = connect(t, node);
    const ways: [string, string[]][] = [
      ['SET', ['SET', 'v', 'newer']],
      ['DEL of a key that is not there', ['DEL', 'v']],
      ['RS.DEL', ['RS.DEL', 'v']],
      ['GETDEL', ['GETDEL', 'v']],
      ['a BITOP of nothing', ['BITOP', 'NOT', 'v', 'none']],
      ['a SUNIONSTORE of nothing', ['SUNIONSTORE', 'v', 'none']],
      ['a ZUNIONSTORE of nothing', ['ZUNIONSTORE', 'v', '1', 'none']],
      ['a SORT of nothing', ['SORT', 'none', 'STORE', 'v']],
      ['APPEND', ['APPEND', 'v', 'newer']],
      ['LPUSH', ['LPUSH', 'v', 'newer']],
      ['MSET', ['MSET', 'w', '1', 'v', '2']],
      ['RENAME', ['RENAME', 'source', 'v']],
      ['RS.PURGE', ['RS.PURGE', 'PREFIX', 'v']],
      ['SWAPDB', ['SWAPDB', '0', '1']],
      ['FLUSHALL', ['FLUSHALL']],
    ];
    for (const [way, command] of ways) {
      await client.send('DEL', 'v');
      await client.send('SET', 'source', 'x');
      const { token } = await read(client, 'v', 'LEASE');
      t.ok(token, `${way}: a token`);
      t.notOk((await other.send(...(command as [string]))) instanceof Error, way);
      t.match(await said(client.send('RS.SET', 'v', 'older', 'LEASE', token!)), /^LEASEVOID/, way);
    }
  });

  await t.test('a lease that is over is handed to somebody else', async (t) => {
    const { token } = await read(client, 'slow', 'LEASE', '30');
    t.ok(token);
    let next: string | null = null;
    await until('the lease is over', async () => {
      next = (await read(client, 'slow', 'LEASE')).token;
      return next !== null;
    });
    t.match(await said(client.send('RS.SET', 'slow', 'late', 'LEASE', token!)), /^LEASEVOID/);
    t.match(await client.text('RS.SET', 'slow', 'right', 'LEASE', next!), /^\d+$/);
  });

  await t.test(
    'a lease given back goes to the next, unless there is nothing to fill the key with',
    async (t) => {
      const forgo = (...words: string[]) => said(client.send('RS.FORGO', 'f', ...words));
      const first = await read(client, 'f', 'LEASE');
      t.equal(await forgo('0123456789abcdef'), '0', 'not the token');
      t.equal(await forgo(first.token!), '1');
      t.equal(await forgo(first.token!), '0', 'once');
      const second = await read(client, 'f', 'LEASE');
      t.ok(second.token, 'the next one gets it at once');
      t.equal(await forgo(second.token!, 'ABSENT', '60000'), '1');
      const absent = await read(client, 'f', 'LEASE');
      t.match(absent, { value: null, state: 'absent', token: null });
      t.ok(absent.leaseMs > 50_000 && absent.leaseMs <= 60_000, 'for so long');
      t.match(await said(client.send('RS.SET', 'f', 'late', 'LEASE', second.token!)), /^LEASEVOID/);
      t.equal(await forgo(second.token!), '0', 'nobody holds it');
      await client.send('DEL', 'f');
      t.match(await read(client, 'f'), { state: 'miss' }, 'whoever writes the key knows better');
      const third = await read(client, 'f', 'LEASE');
      await forgo(third.token!, 'ABSENT', '20');
      await until('the absence is over', async () => (await read(client, 'f')).state === 'miss');
      for (const wrong of [
        ['ABSENT'],
        ['ABSENT', '0'],
        ['ABSENT', 'x'],
        ['PRESENT', '5'],
        ['ABSENT', '5', 'x'],
      ])
        t.match(await forgo('0123456789abcdef', ...wrong), /^ERR/, wrong.join(' '));
    },
  );

  await t.test('a value that is nearly over may be refreshed before', async (t) => {
    await client.send('RS.SET', 'early', 'v', 'PX', '100000', 'SOFTPX', '50000');
    t.match(await read(client, 'early', 'LEASE', '60000', 'BELOW', '40000'), { state: 'hit', token: null });
    const early = await read(client, 'early', 'LEASE', '60000', 'BELOW', '60000');
    t.match(early, { state: 'hit', value: 'v', leaseMs: 60_000 });
    t.ok(early.token, 'below the soft time to live');
    t.match(await read(client, 'early', 'LEASE', '60000', 'BELOW', '60000'), { token: null }, 'one of them');
    await client.send('SET', 'hard', 'v', 'PX', '50000');
    t.ok(
      (await read(client, 'hard', 'LEASE', '60000', 'BELOW', '60000')).token,
      'without a soft one, the hard',
    );
    await client.send('SET', 'ever', 'v');
    t.match(await read(client, 'ever', 'LEASE', '60000', 'BELOW', '60000'), { token: null });
    for (const wrong of [
      ['BELOW', '5'],
      ['LEASE', 'BELOW'],
      ['LEASE', '5', 'BELOW', '0'],
    ])
      t.match(await said(client.send('RS.GET', 'early', ...wrong)), /^ERR syntax/, wrong.join(' '));
  });

  await t.test('a stale value is served, and one reader refreshes it', async (t) => {
    await client.send('RS.SET', 's', 'old', 'PX', '100000', 'SOFTPX', '0');
    const plain = await read(client, 's');
    t.match(plain, { value: 'old', state: 'stale', token: null, leaseMs: 0, softTtlMs: 0 });
    const first = await read(client, 's', 'LEASE');
    t.match(first, { value: 'old', state: 'stale', leaseMs: 10_000 });
    const second = await read(client, 's', 'LEASE');
    t.match(second, { value: 'old', state: 'stale', token: null });
    t.ok(second.leaseMs > 0);
    await client.send('RS.SET', 's', 'new', 'LEASE', first.token!, 'SOFTPX', '60000');
    t.match(await read(client, 's', 'LEASE'), { value: 'new', state: 'hit', token: null });
    t.equal(await said(client.send('RS.MARK', 's', 'SOFTPX', '0')), '1');
    t.match(await read(client, 's'), { value: 'new', state: 'stale' }, 'marked stale without a write');
    t.equal(await said(client.send('RS.MARK', 'nothing', 'SOFTPX', '0')), '0');
  });

  await t.test('a purge by tag or prefix, and what is written afterwards', async (t) => {
    await client.send('RS.SET', 'p:1', 'a', 'TAGS', '2', 'red', 'blue');
    await client.send('RS.SET', 'p:2', 'b', 'TAGS', '1', 'red');
    await client.send('RS.SET', 'p:3', 'c', 'TAGS', '1', 'blue');
    await client.send('SET', 'p:2', 'plain');
    t.equal(await client.text('RS.PURGE', 'TAG', 'red', 'unknown'), 'OK');
    t.same(((await client.send('MGET', 'p:1', 'p:2', 'p:3')) as RespValue[]).map(text), [null, 'plain', 'c']);
    await client.send('RS.SET', 'p:1', 'again', 'TAGS', '1', 'red');
    t.equal(await client.text('RS.PURGE', 'TAG', 'blue'), 'OK');
    t.same(((await client.send('MGET', 'p:1', 'p:3')) as RespValue[]).map(text), ['again', null]);
    t.equal(await client.text('RS.PURGE', 'PREFIX', 'p:'), 'OK');
    await client.send('SET', 'p:2', 'after');
    t.same(((await client.send('MGET', 'p:1', 'p:2')) as RespValue[]).map(text), [null, 'after']);
    t.same(
      ((await client.send('KEYS', 'p:*')) as RespValue[]).map(text),
      ['p:2'],
      'KEYS does not see it either',
    );
    t.match(await said(client.send('RS.PURGE', 'ALL')), /^ERR/);
  });

  await t.test('a value that was on its way when its tag was purged is not let in', async (t) => {
    const { token } = await read(client, 'fill', 'LEASE');
    const other = await read(client, 'fill2', 'LEASE');
    await client.send('RS.PURGE', 'TAG', 'green');
    t.match(
      await said(client.send('RS.SET', 'fill', 'old', 'LEASE', token!, 'TAGS', '1', 'green')),
      /^LEASEVOID/,
    );
    t.match(
      await client.text('RS.SET', 'fill2', 'new', 'LEASE', other.token!, 'TAGS', '1', 'white'),
      /^\d+$/,
    );
  });

  await t.test(`a tag of ${TAGGED_KEYS} keys is purged at once and removed behind the reply`, async (t) => {
    await client.send('FLUSHALL');
    const sets: Promise<RespValue>[] = [];
    client.socket.cork();
    for (let i = 0; i < TAGGED_KEYS; i++)
      sets.push(client.send('RS.SET', `t:${i}`, 'v', 'TAGS', '2', 'all', `third:${i % 3}`));
    client.socket.uncork();
    await Promise.all(sets);
    await client.send('SET', 'other', 'kept');
    t.equal(await client.text('RS.PURGE', 'TAG', 'all'), 'OK');
    t.equal(await client.text('GET', 't:99999'), null, 'the last one is gone for whoever asks');
    await client.send('RS.SET', 't:5', 'newer', 'TAGS', '1', 'all');
    await until('what was purged is removed', async () => Number(await client.send('DBSIZE')) === 2);
    t.same(((await client.send('MGET', 't:5', 'other', 't:0')) as RespValue[]).map(text), [
      'newer',
      'kept',
      null,
    ]);
  });

  await t.test('many tags at once, and what is written while their keys are being removed', async (t) => {
    await client.send('FLUSHALL');
    const tags = Array.from({ length: 1000 }, (_, i) => `m${i}`);
    const sets: Promise<RespValue>[] = [];
    client.socket.cork();
    for (let i = 0; i < 20_000; i++)
      sets.push(client.send('RS.SET', `m:${i}`, 'v', 'TAGS', '2', tags[i % 1000], 'kept'));
    client.socket.uncork();
    await Promise.all(sets);
    t.match(await said(client.send('RS.PURGE', 'TAG', ...tags, 'more')), /^ERR .*1000 tags/);
    // In one piece, so that nothing has been removed yet when the writes come.
    const replies = [client.send('RS.PURGE', 'TAG', ...tags), client.send('RS.PURGE', 'PREFIX', 'm:')];
    for (const command of [
      ['SET', 'm:1', 's'],
      ['HSET', 'm:2', 'f', 'v'],
      ['RPUSH', 'm:3', 'a'],
      ['SADD', 'm:4', 'a'],
      ['ZADD', 'm:5', '1', 'a'],
      ['RS.SET', 'm:6', 'n', 'TAGS', '1', 'm6'],
      ['RENAME', 'm:1', 'm:7'],
      ['COPY', 'm:6', 'm:8'],
      ['RENAME', 'm:9', 'm:10'],
    ])
      replies.push(client.send(...(command as [string])));
    const answers = (await Promise.all(replies.map(said))).join(' ');
    t.match(answers, /^OK OK OK 1 1 1 1 \d+ OK 1 ERR no such key$/);
    await until('what was purged is removed', async () => Number(await client.send('DBSIZE')) === 7);
    t.same(((await client.send('KEYS', '*')) as RespValue[]).map(text).sort(), [
      'm:2',
      'm:3',
      'm:4',
      'm:5',
      'm:6',
      'm:7',
      'm:8',
    ]);
  });
});

t.test('fences', async (t) => {
  const dir = folder(t, 'cache');
  const args = ['--dir', dir, '--set', 'node.limits.maxFences=3'];
  let node = await startStandaloneNode(t, ...args);
  let client = connect(t, node);
  t.match(await client.text('RS.SET', 'f', 'one', 'FENCE', 'lock', '5'), /^\d+$/);
  t.match(await client.text('RS.SET', 'f', 'two', 'FENCE', 'lock', '5'), /^\d+$/, 'the same holder again');
  const older = 'FENCED token 4 is older than 5, which this fence has seen';
  t.equal(await said(client.send('RS.SET', 'f', 'late', 'FENCE', 'lock', '4')), older);
  t.equal(await said(client.send('RS.DEL', 'f', 'FENCE', 'lock', '4')), older);
  t.match(
    await said(client.send('RS.SET', 'f', 'x', 'XX', 'IFVERSION', '1', 'FENCE', 'lock', '9')),
    /^ERR syntax/,
  );
  t.match(
    await said(client.send('RS.SET', 'f', 'x', 'IFVERSION', '1', 'FENCE', 'lock', '9')),
    /^PRECONDITION/,
  );
  t.match(
    await client.text('RS.SET', 'f', 'three', 'FENCE', 'lock', '6'),
    /^\d+$/,
    'what was refused raised nothing',
  );
  t.equal(await client.text('RS.FENCE', 'line\nbreak "é"', '18446744073709551615'), 'OK');
  await client.send('FLUSHALL');
  t.match(
    await said(client.send('RS.SET', 'f', 'x', 'FENCE', 'lock', '5')),
    /^FENCED/,
    'FLUSHALL forgets no fence',
  );
  node.kill('SIGKILL');
  await node.ended;
  // As if the process had died in the middle of a write.
  writeFileSync(join(dir, 'fences.log'), '["lock","99', { flag: 'a' });

  node = await startStandaloneNode(t, ...args);
  client = connect(t, node);
  t.equal(
    await said(client.send('RS.SET', 'f', 'x', 'FENCE', 'lock', '5')),
    'FENCED token 5 is older than 6, which this fence has seen',
    'after kill -9',
  );
  t.match(await said(client.send('RS.FENCE', 'line\nbreak "é"', '1')), /^FENCED/);
  t.equal(await client.text('RS.FENCE', 'third', '1'), 'OK');
  t.equal(
    await said(client.send('RS.SET', 'f', 'x', 'FENCE', 'fourth', '1')),
    'OVERLOADED there are as many fences as node.limits.maxFences (3) allows',
  );
  t.equal(await client.text('GET', 'f'), null);
  await node.stop();
  const lines = readFileSync(join(dir, 'fences.log'), 'utf8').trimEnd().split('\n');
  t.equal(lines.length, 3, 'the file was written anew at the start');
  writeFileSync(join(dir, 'fences.log'), 'nonsense\n["lock","7"]\n');
  const start = ['node', '--standalone', '--port', 'auto', '--admin-port', 'off', '--dir', dir];
  let refused = await runRingside(start);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /fences\.log is damaged in line 1/);
  const locks = lines.findIndex((line) => line.startsWith('["lock","6"'));
  lines[locks] = lines[locks].replace('"6"', '"2"');
  writeFileSync(join(dir, 'fences.log'), `${lines.join('\n')}\n`);
  refused = await runRingside(start);
  t.equal(refused.code, 1, 'one digit that changed on disk is noticed');
  t.match(refused.stderr, new RegExp(`fences\\.log is damaged in line ${locks + 1}`));
});

t.test('namespaces', async (t) => {
  const options = [
    'name: small',
    'prefix: "s:"',
    'defaultTtlSeconds: 100',
    'maxValueBytes: 10',
    'maxBytes: 1mb',
  ];
  const node = await startStandaloneNode(
    t,
    '--set',
    `namespaces=[{${options.join(', ')}}, {name: deep, prefix: "s:d:"}, {name: firm, prefix: "f:", maxBytes: 1mb, policy: noeviction}]`,
  );
  const client = connect(t, node);

  await t.test('the default time to live', async (t) => {
    const commands = [
      ['SET', 's:a', '1'],
      ['SETRANGE', 's:b', '0', 'x'],
      ['HSET', 's:c', 'f', 'v'],
      ['LPUSH', 's:d', 'x'],
      ['SADD', 's:e', 'x'],
      ['ZADD', 's:f', '1', 'x'],
      ['RS.SET', 's:g', '1'],
      ['INCR', 's:h'],
      ['MSET', 's:i', '1'],
    ];
    for (const command of commands) {
      await client.send(...(command as [string]));
      const ttl = Number(await client.send('TTL', command[1]));
      t.ok(ttl > 90 && ttl <= 100, `${command[0]}: ${ttl} s`);
    }
    await client.send('SET', 's:a', '2', 'EX', '5');
    t.ok(Number(await client.send('TTL', 's:a')) <= 5, 'a given one counts');
    await client.send('PERSIST', 's:a');
    t.equal(Number(await client.send('TTL', 's:a')), -1);
    await client.send('SET', 's:a', '3');
    t.ok(Number(await client.send('TTL', 's:a')) > 90, 'the next value has one again');
    for (const key of ['x', 's', 's:d:x']) {
      await client.send('SET', key, '1');
      t.equal(Number(await client.send('TTL', key)), -1, key);
    }
  });

  await t.test('the largest value', async (t) => {
    const refusal = 'ERR a value of 11 bytes is larger than maxValueBytes (10) of namespace small';
    const eleven = 'x'.repeat(11);
    await client.send('SET', 's:v', 'x'.repeat(10));
    await client.send('SET', 'x', eleven);
    for (const command of [
      ['SET', 's:v', eleven],
      ['APPEND', 's:v', 'x'],
      ['SETRANGE', 's:v', '10', 'x'],
      ['SETBIT', 's:v', '80', '1'],
      ['BITFIELD', 's:v', 'GET', 'u8', '0', 'SET', 'u8', '#10', '1'],
      ['BITFIELD', 's:v', 'INCRBY', 'i16', '72', '1'],
      ['COPY', 'x', 's:v', 'REPLACE'],
      ['HSET', 's:w', 'f', eleven],
      ['LPUSH', 's:w', 'x', eleven],
      ['MSET', 'x', eleven, 's:v', eleven],
      ['RS.SET', 's:v', eleven],
    ])
      t.equal(await said(client.send(...(command as [string]))), refusal, command.join(' '));
    t.equal(await client.text('GET', 's:v'), 'x'.repeat(10));
    t.equal(await client.text('COPY', 's:v', 'other'), '1');
    t.same(await client.send('BITFIELD', 's:v', 'SET', 'u8', '72', '1', 'GET', 'u8', '999'), [120, 0]);
    t.equal(
      await said(client.send('BITFIELD', 's:v', 'SET', 'x', 'y', 'z')),
      'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    );
    t.equal(await client.text('EXISTS', 's:w'), '0');
    t.equal(await client.text('MSET', 's:v', '1', 'x', eleven), 'OK', 'each value by its own key');
    t.equal(await client.text('SET', 's:d:x', eleven), 'OK', 'another namespace');
  });

  await t.test('the largest value that is made of others', async (t) => {
    const refusal = 'ERR a value of 11 bytes is larger than maxValueBytes (10) of namespace small';
    const eleven = 'x'.repeat(11);
    const payloads: Buffer[] = [];
    for (const [i, command] of [
      ['SET', 'big:0', eleven],
      ['RPUSH', 'big:1', 'x', eleven],
      ['SADD', 'big:2', 'x', eleven],
      ['ZADD', 'big:3', '1', 'x', '2', eleven],
      ['HSET', 'big:4', 'x', eleven],
      ['GEOADD', 'big:5', '13.361389', '38.115556', eleven],
      ['SADD', 'ids', '1', '2'],
      ['SET', 'name:2', eleven],
    ].entries()) {
      await client.send(...(command as [string]));
      if (i < 6) payloads.push((await client.send('DUMP', `big:${i}`)) as Buffer);
    }
    await client.send('SET', 's:v', 'kept');
    await client.send('SET', 's:n', '9999999999');
    for (const command of [
      ...payloads.map((payload) => ['RESTORE', 's:v', '0', payload, 'REPLACE']),
      ...payloads.map((_, i) => ['RENAME', `big:${i}`, 's:v']),
      ...payloads.map((_, i) => ['COPY', `big:${i}`, 's:v', 'REPLACE']),
      ['RENAMENX', 'big:0', 's:new'],
      ['RS.INCR', 's:n', '1'],
      ['RS.MCINCR', 's:n', '1'],
      ['RS.MCINCR', 's:new', '1', 'INIT', '10000000000', '0'],
      ['BITOP', 'NOT', 's:v', 'big:0'],
      ['BITOP', 'OR', 's:v', 'big:0', 's:n'],
      ['SMOVE', 'big:2', 's:new', eleven],
      ['SUNIONSTORE', 's:v', 'big:2'],
      ['SINTERSTORE', 's:v', 'big:2', 'big:2'],
      ['SDIFFSTORE', 's:v', 'big:2', 'none'],
      ['ZUNIONSTORE', 's:v', '2', 'big:2', 'big:3'],
      ['ZINTERSTORE', 's:v', '1', 'big:3'],
      ['ZDIFFSTORE', 's:v', '1', 'big:3'],
      ['ZRANGESTORE', 's:v', 'big:3', '0', '-1'],
      ['SORT', 'big:1', 'ALPHA', 'STORE', 's:v'],
      ['SORT', 'ids', 'GET', 'name:*', 'STORE', 's:v'],
      ['LMOVE', 'big:1', 's:new', 'RIGHT', 'LEFT'],
      ['RPOPLPUSH', 'big:1', 's:new'],
      ['BLMOVE', 'big:1', 's:new', 'RIGHT', 'LEFT', '0'],
      ['GEORADIUS', 'big:5', '13', '38', '200', 'km', 'STORE', 's:v'],
      ['GEORADIUSBYMEMBER', 'big:5', eleven, '200', 'km', 'STOREDIST', 's:v'],
      ['GEOSEARCHSTORE', 's:v', 'big:5', 'FROMLONLAT', '13', '38', 'BYRADIUS', '200', 'km'],
      ['INCR', 's:n'],
      ['INCRBY', 's:n', '1'],
      ['INCRBYFLOAT', 's:n', '1'],
      ['ZINCRBY', 's:z', '1', eleven],
      ['HINCRBY', 's:hash', eleven, '1'],
      ['HINCRBYFLOAT', 's:hash', eleven, '1'],
      ['GEOADD', 's:z', '1', '1', 'x', '13.361389338970184', '38.115556', eleven],
      ['ZADD', 's:z', 'NX', '1', 'x', '1.2345678901234', eleven],
      ['LINSERT', 's:l', 'BEFORE', 'x', eleven],
    ] as (string | Buffer)[][])
      t.equal(await said(sendAll(client, command)), refusal, command.join(' '));
    t.equal(await client.text('GET', 's:v'), 'kept', 'nothing was touched');
    t.equal(await client.text('LLEN', 'big:1'), '2');
    t.match(await said(client.send('PFADD', 's:pf', 'a')), /^ERR a value of \d+ bytes is larger/);
    await client.send('PFADD', 'pf', 'a');
    t.match(await said(client.send('PFMERGE', 's:pf', 'pf')), /^ERR a value of \d+ bytes is larger/);

    // As much as may be, options however long aside, and other namespaces as they like.
    for (const command of [
      ['SET', 's:v', 'x', 'PXAT', '9000000000000'],
      ['RS.SET', 's:v', 'x', 'TAGS', '1', 'a tag that is longer than that', 'FENCE', 'a name too', '1'],
      ['PSETEX', 's:v', '100000000000', 'x'],
      ['ZADD', 's:z', '1.2345678901234', 'x'],
      ['GEOADD', 's:z', '13.361389338970184', '38.115556389283741', 'y'],
      ['SDIFFSTORE', 's:set', 'big:2', 'big:2'],
      ['SINTERSTORE', 's:set', 'big:2', 'ids'],
      ['ZRANGESTORE', 's:set', 'big:3', '0', '0'],
      ['LMOVE', 'big:1', 's:l', 'LEFT', 'LEFT'],
      ['SORT', 'ids', 'STORE', 's:l'],
      ['SORT', 'big:1', 'ALPHA'],
      ['DECR', 's:n'],
      ['RENAME', 's:v', 's:w'],
      ['RENAME', 'big:0', 's:d:deep'],
      ['COPY', 'big:4', 'more'],
    ] as (string | Buffer)[][])
      t.notOk((await sendAll(client, command)) instanceof Error, command.join(' '));
  });

  await t.test('a move that waited is held to it too', async (t) => {
    const waiting = connect(t, node);
    const moved = waiting.send('BLMOVE', 'later', 's:later', 'LEFT', 'LEFT', '0');
    await until('it waits', async () =>
      /blocked_clients:1/.test(String(await client.send('INFO', 'clients'))),
    );
    await client.send('RPUSH', 'later', 'x'.repeat(11));
    t.match(await said(moved), /^ERR a value of 11 bytes/);
    t.equal(await client.text('LLEN', 'later'), '1');
  });

  await t.test('the budget', async (t) => {
    await client.send('FLUSHALL');
    const sets: Promise<RespValue>[] = [];
    client.socket.cork();
    for (let i = 0; i < 2000; i++) sets.push(client.send('SET', `other:${i}`, 'x'.repeat(100)));
    for (let i = 0; i < 60_000; i++) sets.push(client.send('SET', `s:${i}`, 'x'.repeat(10)));
    client.socket.uncork();
    await Promise.all(sets);
    const keys = Number(await client.send('DBSIZE'));
    t.ok(keys < 40_000, `${keys} keys of 62000 are left`);
    t.ok(keys > 12_000, 'and as many as a megabyte holds');
    t.equal(await client.text('GET', 's:59999'), 'x'.repeat(10), 'what came last is there');
    const others = (await client.send(
      'MGET',
      ...Array.from({ length: 2000 }, (_, i) => `other:${i}`),
    )) as RespValue[];
    t.equal(others.filter((value) => value === null).length, 0, 'nobody else had to go');
  });

  await t.test('a budget that evicts nothing', async (t) => {
    const full = "OOM command not allowed when used memory > 'maxBytes' of namespace firm.";
    await client.send('SET', 'f:a', 'x'.repeat(1 << 20));
    t.equal(await said(client.send('SET', 'f:b', '1')), full, 'the error names what is full');
    t.equal(await said(client.send('HSET', 'f:h', 'f', '1')), full);
    await client.send('SADD', 'set', 'x', 'y');
    await client.send('RPUSH', 'list', 'x');
    await client.send('GEOADD', 'geo', '1', '1', 'x');
    const payload = (await client.send('DUMP', 'list')) as Buffer;
    for (const command of [
      ['APPEND', 'f:a', 'x'],
      ['MSET', 'other', '1', 'f:b', '1'],
      ['INCR', 'f:n'],
      ['PFADD', 'f:p', 'x'],
      ['RENAME', 'list', 'f:l'],
      ['RENAMENX', 'list', 'f:l'],
      ['COPY', 'list', 'f:l'],
      ['RESTORE', 'f:l', '0', payload],
      ['SMOVE', 'set', 'f:s', 'x'],
      ['LMOVE', 'list', 'f:l', 'LEFT', 'LEFT'],
      ['BRPOPLPUSH', 'list', 'f:l', '0'],
      ['SUNIONSTORE', 'f:s', 'set'],
      ['ZUNIONSTORE', 'f:z', '1', 'set'],
      ['ZRANGESTORE', 'f:z', 'geo', '0', '-1'],
      ['SORT', 'set', 'ALPHA', 'STORE', 'f:l'],
      ['GEORADIUS', 'geo', '1', '1', '9', 'km', 'STORE', 'f:z'],
      ['GEOSEARCHSTORE', 'f:z', 'geo', 'FROMLONLAT', '1', '1', 'BYRADIUS', '9', 'km'],
      ['BITOP', 'NOT', 'f:b', 'f:a'],
      ['PFMERGE', 'f:p', 'none'],
    ] as (string | Buffer)[][])
      t.equal(await said(sendAll(client, command)), full, command.join(' '));
    for (const [reply, ...command] of [
      ['OK', 'RENAME', 'f:a', 'f:c'],
      ['1', 'RENAMENX', 'f:c', 'f:a'],
      ['1', 'COPY', 'f:a', 'copy'],
      ['2', 'SUNIONSTORE', 'set2', 'set', 'f:none'],
      ['OK', 'PFMERGE', 'pf', 'f:none'],
      [String(1 << 20), 'BITOP', 'NOT', 'other', 'f:a'],
    ] as (string | Buffer)[][])
      t.equal(await said(sendAll(client, command)), reply, command.join(' '));
    t.equal(await client.text('DEL', 'f:a'), '1');
    t.equal(await client.text('SET', 'f:b', '1'), 'OK');
  });
});

t.test('versions of a restarted node are above those of the one before', async (t) => {
  const first = await startStandaloneNode(t);
  const version = BigInt((await connect(t, first).text('RS.SET', 'k', 'before'))!);
  first.kill('SIGKILL');
  await first.ended;
  const client = connect(t, await startStandaloneNode(t));
  const again = BigInt((await client.text('RS.SET', 'k', 'after'))!);
  t.ok(again > version, `${again} is above ${version}`);
  t.match(await said(client.send('RS.SET', 'k', 'x', 'IFVERSION', String(version))), /^PRECONDITION/);
});

t.test('marks go where the value goes', async (t) => {
  const leader = await startStandaloneNode(t);
  const client = connect(t, leader);
  const port = leader.ready.resp.split(':')[1];
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${port}`);
  const there = connect(t, follower);
  await until('the link is up', async () => (await said(client.send('WAIT', '1', '100'))) === '1');
  const onBoth = async (ask: (node: RespClient) => Promise<unknown>) => {
    await client.send('WAIT', '1', '60000');
    const [here, copy] = [await ask(client), await ask(there)];
    t.same(copy, here, 'as on the follower');
    return here;
  };
  const marks = async (key: string, database = 0) =>
    onBoth(async (node) => {
      await node.send('SELECT', String(database));
      const { value, version, flags, softTtlMs, state } = await read(node, key);
      await node.send('SELECT', '0');
      return { value, version, flags, isSoft: softTtlMs > 0, state };
    });
  const marked = { value: 'v', flags: 7, isSoft: true, state: 'hit' };
  const bare = { flags: 0, isSoft: false };
  const set = (key: string) =>
    client.text('RS.SET', key, 'v', 'EX', '900', 'SOFTPX', '800000', 'FLAGS', '7', 'TAGS', '2', 'a', 'b');
  const keys = async (node: RespClient, database: number) => {
    await node.send('SELECT', String(database));
    const found = ((await node.send('KEYS', '*')) as RespValue[]).map(text).sort();
    await node.send('SELECT', '0');
    return found;
  };

  const version = BigInt((await set('one'))!);
  await client.send('RENAME', 'one', 'two');
  const renamed = (await marks('two')) as Read;
  t.match(renamed, marked, 'RENAME');
  t.ok(BigInt(renamed.version) > version, 'with a new version');
  await client.send('COPY', 'two', 'three');
  t.match(await marks('three'), marked, 'COPY');
  await client.send('COPY', 'two', 'five', 'DB', '1');
  await client.send('RENAMENX', 'two', 'four');
  await client.send('MOVE', 'four', '1');
  t.match(await marks('four', 1), marked, 'RENAMENX and MOVE');
  await client.send('SWAPDB', '0', '1');
  t.match(await marks('five'), marked, 'SWAPDB');

  await client.text('RS.PURGE', 'TAG', 'b');
  t.same(await onBoth((node) => keys(node, 0)), [], 'four and five had the tag');
  t.same(await onBoth((node) => keys(node, 1)), ['three'], 'a purge is of one database');

  await set('six');
  const payload = (await client.send('DUMP', 'six')) as Buffer;
  await client.send('RESTORE', 'six', '0', payload, 'REPLACE');
  t.match(await marks('six'), { value: 'v', ...bare }, 'RESTORE brings a value without marks');
  await set('seven');
  await client.send('BITOP', 'NOT', 'seven', 'seven');
  t.match(await marks('seven'), bare, 'BITOP makes a new value');
  await set('eight');
  await client.send('SET', 'plain', 'v');
  await client.send('RENAME', 'plain', 'eight');
  t.match(await marks('eight'), { value: 'v', ...bare }, 'the marks of what was overwritten are gone');
  for (const [i, store] of [
    ['SUNIONSTORE', 'KEY', 'set'],
    ['ZUNIONSTORE', 'KEY', '1', 'set'],
    ['SORT', 'set', 'ALPHA', 'STORE', 'KEY'],
  ].entries()) {
    await client.send('SADD', 'set', 'x');
    await set(`store:${i}`);
    await client.send(...(store.map((part) => (part === 'KEY' ? `store:${i}` : part)) as [string]));
  }
  await client.send('SADD', 'tagged', 'm');
  await client.send('RS.MARK', 'tagged', 'TAGS', '1', 'a');
  await client.send('RENAME', 'tagged', 'moved');
  await client.send('SADD', 'moved', 'n');
  await client.text('RS.PURGE', 'TAG', 'a');
  t.same(
    await onBoth((node) => keys(node, 0)),
    ['eight', 'set', 'seven', 'six', 'store:0', 'store:1', 'store:2'],
    'only the collection still had the tag',
  );
});

t.test('a copy of tags is refused when there is no room for them', async (t) => {
  const node = await startStandaloneNode(t, '--set', 'node.limits.maxTagBytes=64kb');
  const client = connect(t, node);
  await client.text('RS.SET', 'a', 'v', 'TAGS', '1', 'x');
  let stored = 0;
  while (/^\d+$/.test((await said(client.send('RS.SET', `f:${stored}`, 'v', 'TAGS', '1', 'y')))!)) stored++;
  t.ok(stored > 200 && stored < 400, `${stored} more keys had room`);
  t.match(await said(client.send('COPY', 'a', 'b')), /^OVERLOADED .*maxTagBytes/);
  t.equal(await client.text('EXISTS', 'b'), '0');
  t.equal(await client.text('RENAME', 'a', 'c'), 'OK', 'a move takes no more');
  await client.text('RS.PURGE', 'TAG', 'x');
  t.equal(await client.text('EXISTS', 'c'), '0');
});

t.test('a follower has marks, fences and purges too', async (t) => {
  const leader = await startStandaloneNode(t);
  const client = connect(t, leader);
  await client.send('RS.SET', 'early', 'x', 'FLAGS', '3', 'SOFTPX', '100000', 'TAGS', '2', 'one', 'two');
  await client.send('RS.FENCE', 'lock', '7');
  const port = leader.ready.resp.split(':')[1];
  const follower = await startStandaloneNode(t, '--replicaof', `127.0.0.1 ${port}`);
  const there = connect(t, follower);
  await until('the snapshot is there', async () => (await said(there.send('GET', 'early'))) === 'x');
  const early = await read(there, 'early');
  t.match(early, { flags: 3, state: 'hit' }, 'by the snapshot');
  t.ok(early.softTtlMs > 0);
  const version = await client.text('RS.SET', 'late', 'y', 'FLAGS', '4', 'TAGS', '1', 'two');
  await client.send('WAIT', '1', '60000');
  t.match(await read(there, 'late'), { flags: 4, version }, 'by the stream');
  for (let i = 0; i < 200; i++) await client.send('RS.SET', `many:${i}`, 'v', 'TAGS', '1', 'many');
  await client.send('RS.PURGE', 'TAG', 'two', 'many');
  await client.send('WAIT', '1', '60000');
  for (const key of ['early', 'late', 'many:0', 'many:199'])
    t.equal((await read(there, key)).state, 'miss', key);
  t.match(await read(there, 'other', 'LEASE'), { token: null, leaseMs: 0 }, "leases are the leader's");
  await until('what was purged is removed', async () => Number(await there.send('DBSIZE')) === 0);
  leader.kill('SIGKILL');
  await leader.ended;
});
