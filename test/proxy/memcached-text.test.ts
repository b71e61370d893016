import t, { type Test } from 'tap';
import { timeLeft } from '../support/memcached-client.ts';
import { type MemcachedStack, memcachedStack } from '../support/memcached-stack.ts';

/** What every session begins with. */
let stack: MemcachedStack;

t.before(async () => {
  stack = await memcachedStack(t, 3);
});

/** Sends each input and expects what stands beside it; `#` stands for a number, ` t50` for what is left of 50 seconds. */
async function session(t: Test, steps: readonly (readonly [input: string, answer: string])[]): Promise<void> {
  const client = stack.client();
  for (const [input, answer] of steps) {
    const got = await client.ask(input);
    const pattern = answer.split('#').map(escaped).join('\\d+');
    t.match(got, new RegExp(`^${pattern}$`, 's'), JSON.stringify(input.slice(0, 60)));
  }
}

function escaped(text: string): string {
  const plain = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return plain.replace(/ t(\d+)/g, (_, seconds) => ` ${timeLeft(Number(seconds))}`);
}

t.test('storage commands', (t) =>
  session(t, [
    ['set t:a 5 0 3\r\nabc\r\n', 'STORED\r\n'],
    ['get t:a\r\n', 'VALUE t:a 5 3\r\nabc\r\nEND\r\n'],
    ['set t:a 0 0 0\r\n\r\n', 'STORED\r\n'],
    ['get t:a\r\n', 'VALUE t:a 0 0\r\n\r\nEND\r\n'],
    ['add t:a 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
    ['add t:b 7 0 1\r\nx\r\n', 'STORED\r\n'],
    ['replace t:c 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
    ['replace t:b 0 0 1\r\ny\r\n', 'STORED\r\n'],
    ['append t:c 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'],
    ['set t:b 4294967295 0 1\r\ny\r\n', 'STORED\r\n'],
    ['append t:b 0 0 2\r\nzz\r\n', 'STORED\r\n'],
    ['prepend t:b 0 0 2\r\nww\r\n', 'STORED\r\n'],
    ['get t:b\r\n', 'VALUE t:b 4294967295 5\r\nwwyzz\r\nEND\r\n'],
    ['set t:bin 0 0 6\r\n\r\n\0\n\r\x80\r\n', 'STORED\r\n'],
    ['get t:bin\r\n', 'VALUE t:bin 0 6\r\n\r\n\0\n\r\x80\r\nEND\r\n'],
  ]),
);

t.test('several keys of several shards, in the order of the request', async (t) => {
  const keys = Array.from({ length: 40 }, (_, i) => `many:${i}`);
  const client = stack.client();
  t.equal(
    await client.ask(keys.map((key, i) => `set ${key} ${i % 3} 0 ${key.length}\r\n${key}\r\n`).join('')),
    'STORED\r\n'.repeat(40),
  );
  const asked = [...keys, 'missing', keys[0]].reverse();
  const items = asked.map((key) => {
    const i = keys.indexOf(key);
    return i < 0 ? '' : `VALUE ${key} ${i % 3} ${key.length}\r\n${key}\r\n`;
  });
  t.equal(await client.ask(`get ${asked.join(' ')}\r\n`), `${items.join('')}END\r\n`);
  const versions = await client.ask(`gets ${keys.join(' ')}\r\n`);
  const cas = [...versions.matchAll(/^VALUE (\S+) \d \d+ (\d+)\r$/gm)];
  t.same(
    cas.map(([, key]) => key),
    keys,
  );
  t.ok(cas.every(([, , version]) => BigInt(version) > 0n));
  const touched = await client.ask(`gat 100 ${asked.join(' ')}\r\n`);
  t.equal(touched, `${items.join('')}END\r\n`);
});

t.test('cas', async (t) => {
  const client = stack.client();
  await client.ask('set c 3 0 1\r\na\r\n');
  const versionOf = async () => /^VALUE c \d+ \d+ (\d+)/.exec(await client.ask('gets c\r\n'))![1];
  const first = await versionOf();
  t.equal(await client.ask(`cas c 4 0 1 ${first}\r\nb\r\n`), 'STORED\r\n');
  t.equal(await client.ask(`cas c 4 0 1 ${first}\r\nc\r\n`), 'EXISTS\r\n');
  t.equal(await client.ask('cas c 4 0 1 0\r\nc\r\n'), 'EXISTS\r\n');
  t.equal(await client.ask('cas nothing 0 0 1 1\r\nc\r\n'), 'NOT_FOUND\r\n');
  t.equal(await client.ask('get c\r\n'), 'VALUE c 4 1\r\nb\r\nEND\r\n');
  for (const write of [
    'append c 0 0 1\r\nx\r\n',
    'prepend c 0 0 1\r\nx\r\n',
    'set c 0 0 1\r\n1\r\n',
    'incr c 1\r\n',
  ]) {
    const before = await versionOf();
    t.match(await client.ask(write), /^(STORED|\d+)/);
    t.ok(BigInt(await versionOf()) > BigInt(before), `${write.slice(0, 6)} gives a new version`);
  }
  const before = await versionOf();
  await client.ask('touch c 100\r\n');
  t.equal(await versionOf(), before, 'touch does not');
});

t.test('arithmetic', (t) =>
  session(t, [
    ['incr n 1\r\n', 'NOT_FOUND\r\n'],
    ['set n 9 0 2\r\n10\r\n', 'STORED\r\n'],
    ['incr n 5\r\n', '15\r\n'],
    ['decr n 6\r\n', '9\r\n'],
    // As memcached, which overwrites the item where it is.
    ['get n\r\n', 'VALUE n 9 2\r\n9 \r\nEND\r\n'],
    ['incr n 1\r\n', '10\r\n'],
    ['decr n 100\r\n', '0\r\n'],
    ['get n\r\n', 'VALUE n 9 2\r\n0 \r\nEND\r\n'],
    ['set n 0 0 20\r\n18446744073709551615\r\n', 'STORED\r\n'],
    ['incr n 2\r\n', '1\r\n'],
    ['incr n 18446744073709551610\r\n', '18446744073709551611\r\n'],
    ['decr n 18446744073709551610\r\n', '1\r\n'],
    ['set n 0 0 3\r\nabc\r\n', 'STORED\r\n'],
    ['incr n 1\r\n', 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
    ['set n 0 0 0\r\n\r\n', 'STORED\r\n'],
    ['decr n 1\r\n', 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
    ['incr n x\r\n', 'CLIENT_ERROR invalid numeric delta argument\r\n'],
    ['incr n -1\r\n', 'CLIENT_ERROR invalid numeric delta argument\r\n'],
    ['incr n\r\n', 'ERROR\r\n'],
    ['set n 0 0 1\r\n1\r\n', 'STORED\r\n'],
    ['incr n 1 noreply\r\n', ''],
    ['get n\r\n', 'VALUE n 0 1\r\n2\r\nEND\r\n'],
  ]),
);

t.test('expiry, touch and delete', (t) =>
  session(t, [
    ['set e 0 -1 1\r\nx\r\n', 'STORED\r\n'],
    ['get e\r\n', 'END\r\n'],
    [`set e 0 ${Math.floor(Date.UTC(2001, 1) / 1000)} 1\r\nx\r\n`, 'STORED\r\n'],
    ['get e\r\n', 'END\r\n'],
    ['set e 0 4102444800 1\r\nx\r\n', 'STORED\r\n'],
    ['get e\r\n', 'VALUE e 0 1\r\nx\r\nEND\r\n'],
    ['touch e 2592000\r\n', 'TOUCHED\r\n'],
    ['mg e t\r\n', 'HD t2592000\r\n'],
    ['touch e 0\r\n', 'TOUCHED\r\n'],
    ['mg e t\r\n', 'HD t-1\r\n'],
    ['gat 50 e\r\n', 'VALUE e 0 1\r\nx\r\nEND\r\n'],
    ['mg e t\r\n', 'HD t50\r\n'],
    ['gats 60 e\r\n', 'VALUE e 0 1 #\r\nx\r\nEND\r\n'],
    ['gat -1 e\r\n', 'VALUE e 0 1\r\nx\r\nEND\r\n'],
    ['get e\r\n', 'END\r\n'],
    ['gat 10 e\r\n', 'END\r\n'],
    ['gat 10\r\n', 'END\r\n'],
    ['gat x e\r\n', 'CLIENT_ERROR invalid exptime argument\r\n'],
    ['touch e 10\r\n', 'NOT_FOUND\r\n'],
    ['touch e x\r\n', 'CLIENT_ERROR invalid exptime argument\r\n'],
    ['touch e\r\n', 'ERROR\r\n'],
    ['delete e\r\n', 'NOT_FOUND\r\n'],
    ['set e 0 0 1\r\nx\r\n', 'STORED\r\n'],
    ['delete e 10\r\n', 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n'],
    ['delete e 0\r\n', 'DELETED\r\n'],
    ['set e 0 0 1\r\nx\r\ndelete e noreply\r\nget e\r\n', 'STORED\r\nEND\r\n'],
  ]),
);

t.test('what makes no sense, in the words of memcached', (t) =>
  session(t, [
    ['frobnicate a\r\n', 'ERROR\r\n'],
    ['\r\n', 'ERROR\r\n'],
    [' \n', 'ERROR\r\n'],
    ['get\r\n', 'ERROR\r\n'],
    ['GET a\r\n', 'ERROR\r\n'],
    ['set a 0 0\r\nabc\r\n', 'ERROR\r\nERROR\r\n'],
    ['set a x 0 1\r\n1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a 0 x 1\r\n1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a -1 0 1\r\n1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a 0 0 -1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['cas a 0 0 1 x\r\n1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['set a 0 0 3\r\nabcdef\r\n', 'CLIENT_ERROR bad data chunk\r\nERROR\r\n'],
    [`get ${'k'.repeat(250)}\r\n`, 'END\r\n'],
    [`get ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`get a ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`set ${'k'.repeat(251)} 0 0 1\r\nx\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`delete ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`incr ${'k'.repeat(251)} 1\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`touch ${'k'.repeat(251)} 1\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    ['verbosity\r\n', 'ERROR\r\n'],
    ['verbosity x\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['verbosity 1\r\nverbosity 1 noreply\r\n', 'OK\r\n'],
    ['flush_all x\r\n', 'CLIENT_ERROR invalid exptime argument\r\n'],
    ['cache_memlimit 4\r\n', 'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n'],
    ['cache_memlimit 1024\r\n', 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n'],
    ['slabs reassign 1 2\r\n', 'CLIENT_ERROR slab reassignment disabled\r\n'],
    ['lru_crawler metadump all\r\n', 'CLIENT_ERROR lru crawler disabled\r\n'],
    ['watch\r\n', 'CLIENT_ERROR watch commands not allowed\r\n'],
    ['shutdown\r\n', 'ERROR: shutdown not enabled\r\n'],
    ['version\r\n', 'VERSION 1.6.18\r\n'],
  ]),
);

t.test('noreply, and a pipeline', (t) =>
  session(t, [
    [
      'set p 0 0 1 noreply\r\n1\r\nappend p 0 0 1 noreply\r\n2\r\nprepend p 0 0 1 noreply\r\n0\r\nadd p 0 0 1 noreply\r\n9\r\nget p\r\n',
      'VALUE p 0 3\r\n012\r\nEND\r\n',
    ],
    ['cas p 0 0 1 1 noreply\r\nx\r\ntouch p 100 noreply\r\ndelete p noreply\r\nget p\r\n', 'END\r\n'],
    [
      'set q 0 0 1\r\n1\r\nget q\r\nincr q 1\r\nget p q\r\ndelete q\r\nget q\r\n',
      'STORED\r\nVALUE q 0 1\r\n1\r\nEND\r\n2\r\nVALUE q 0 1\r\n2\r\nEND\r\nDELETED\r\nEND\r\n',
    ],
  ]),
);

t.test('quit, and what is no memcached at all', async (t) => {
  for (const [input, answer] of [
    ['version\r\nquit\r\nversion\r\n', 'VERSION 1.6.18\r\n'],
    ['GET / HTTP/1.1\r\n', ''],
    ['\x80\0\0\0\0\0', 'SERVER_ERROR the binary protocol is not supported, use the text protocol\r\n'],
    ['x'.repeat(3000), 'CLIENT_ERROR line too long\r\n'],
  ]) {
    const client = stack.client();
    t.equal(await client.ask(input), answer, JSON.stringify(input.slice(0, 30)));
    t.ok(client.isClosed);
  }
  const half = stack.client();
  half.socket.end('set h 0 0 1\r\nx\r\nget h\r\nmn\r\n');
  t.equal(
    await half.answered(),
    'STORED\r\nVALUE h 0 1\r\nx\r\nEND\r\n',
    'a client that has closed its side',
  );
});

t.test('flush_all', async (t) => {
  const client = stack.client();
  const keys = Array.from({ length: 30 }, (_, i) => `f${i}`);
  const fill = () => client.ask(keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\n`).join(''));
  const held = async () => (await client.ask(`get ${keys.join(' ')}\r\n`)).split('VALUE').length - 1;
  await fill();
  t.equal(await client.ask('flush_all 3600\r\n'), 'OK\r\n');
  t.equal(await held(), 30, 'later');
  t.equal(await client.ask('flush_all\r\n'), 'OK\r\n');
  t.equal(await held(), 0, 'on every shard');
  await fill();
  t.equal(await client.ask('flush_all 0 noreply\r\n'), '');
  t.equal(await held(), 0);
  await fill();
  t.equal(await client.ask('flush_all 1\r\n'), 'OK\r\n');
  let left = 30;
  while (left > 0) left = await held();
  t.equal(left, 0, 'after a second');
});

t.test('stats', async (t) => {
  const client = stack.client();
  await client.ask('stats reset\r\n');
  await client.ask(
    'set s1 0 0 5\r\nhello\r\nset s2 0 0 5\r\nhello\r\nget s1 s2 nothing\r\nget s1\r\ntouch s1 9\r\n',
  );
  const read = async (what: string) => {
    const text = await client.ask(`stats ${what}\r\n`);
    t.match(text, /END\r\n$/);
    return Object.fromEntries(
      [...text.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) => [name, value]),
    );
  };
  const general = await read('');
  t.match(general, {
    version: '1.6.18',
    cmd_get: '4',
    get_hits: '3',
    get_misses: '1',
    cmd_set: '2',
    cmd_touch: '1',
    touch_hits: '1',
    pointer_size: '64',
    shards: '3',
  });
  t.ok(Number(general.curr_items) >= 2 && Number(general.bytes) > 0 && Number(general.curr_connections) > 0);
  t.match(await read('settings'), { item_size_max: '1048576', cas_enabled: 'yes', auth_enabled_ascii: 'no' });
  t.equal((await read('items'))['items:1:number'], general.curr_items);
  t.equal((await read('slabs'))['1:used_chunks'], general.curr_items);
  t.equal((await read('sizes')).sizes_status, 'disabled');
  t.match(Object.values(await read('conns')).join(' '), /tcp:127\.0\.0\.1:\d+/);
  t.equal(await client.ask('stats nonsense\r\nstats reset\r\n'), 'ERROR\r\nRESET\r\n');
  t.equal((await read('')).cmd_set, '0');
});
