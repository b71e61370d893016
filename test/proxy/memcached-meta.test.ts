import t, { type Test } from 'tap';
import { timeLeft } from '../support/memcached-client.ts';
import { type MemcachedStack, memcachedStack } from '../support/memcached-stack.ts';

let stack: MemcachedStack;

t.before(async () => {
  stack = await memcachedStack(t, 2);
});

async function session(t: Test, steps: readonly (readonly [input: string, answer: string])[]): Promise<void> {
  const client = stack.client();
  for (const [input, answer] of steps) {
    const got = await client.ask(input);
    const pattern = answer
      .split('#')
      .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('\\d+')
      .replace(/ t(\d+)/g, (_, seconds) => ` ${timeLeft(Number(seconds))}`);
    t.match(got, new RegExp(`^${pattern}$`, 's'), JSON.stringify(input.slice(0, 60)));
  }
}

t.test('mg and ms with every flag', (t) =>
  session(t, [
    ['mg m v\r\n', 'EN\r\n'],
    ['mg m v k Oabc\r\n', 'EN km Oabc\r\n'],
    ['mg m v q\r\n', ''],
    ['ms m 3 F7 T90 c k O12\r\nabc\r\n', 'HD c# km O12\r\n'],
    ['mg m\r\n', 'HD\r\n'],
    ['mg m v\r\n', 'VA 3\r\nabc\r\n'],
    ['mg m s v f t k O9 c q\r\n', 'VA 3 s3 f7 t90 km O9 c#\r\nabc\r\n'],
    ['mg m t T30\r\n', 'HD t90\r\n'],
    ['mg m T20 t\r\n', 'HD t20\r\n'],
    ['mg m t\r\n', 'HD t20\r\n'],
    ['mg m T0 t\r\n', 'HD t-1\r\n'],
    ['mg m u s P L\r\n', 'HD s3\r\n'],
    ['ms m 2 q\r\nxy\r\n', ''],
    ['ms m 1 ME q\r\nx\r\n', 'NS\r\n'],
    ['ms new 1 ME\r\nx\r\n', 'HD\r\n'],
    ['ms none 1 MR\r\nx\r\n', 'NS\r\n'],
    ['ms none 1 MA\r\nx\r\n', 'NS\r\n'],
    ['ms new 2 MA F9\r\nyz\r\nms new 1 MP\r\nw\r\nmg new v f\r\n', 'HD\r\nHD\r\nVA 4 f0\r\nwxyz\r\n'],
    ['ms new 1 MS\r\nx\r\nms new 1 MR\r\ny\r\nmg new v\r\n', 'HD\r\nHD\r\nVA 1\r\ny\r\n'],
    ['ms new 1 C5 c\r\nz\r\n', 'EX c0\r\n'],
    ['ms none 1 C5\r\nz\r\n', 'NF\r\n'],
    ['ms new 1 MA C5\r\nz\r\n', 'EX\r\n'],
    ['ms new 0\r\n\r\nmg new v s\r\n', 'HD\r\nVA 0 s0\r\n\r\n'],
    ['mn\r\n', ''],
  ]),
);

t.test('base64 keys', (t) =>
  session(t, [
    ['ms 44OG44K544OI 2 b k\r\npo\r\n', 'HD k44OG44K544OI b\r\n'],
    ['mg 44OG44K544OI v\r\n', 'EN\r\n'],
    ['mg 44OG44K544OI b v k\r\n', 'VA 2 k44OG44K544OI b\r\npo\r\n'],
    ['me 44OG44K544OI b\r\n', 'ME 44OG44K544OI exp=-1 la=# cas=# fetch=yes cls=1 size=11\r\n'],
    ['md 44OG44K544OI b q\r\nmg 44OG44K544OI b k\r\n', 'EN k44OG44K544OI b\r\n'],
    ['mg a*b b\r\n', 'CLIENT_ERROR error decoding key\r\n'],
    ['mg abc b\r\n', 'CLIENT_ERROR error decoding key\r\n'],
    ['me abc b\r\n', 'CLIENT_ERROR bad command line format\r\n'],
  ]),
);

t.test('hit before, last access', async (t) => {
  const client = stack.client();
  t.equal(
    await client.ask('ms h 1 T100\r\nx\r\nmg h h u\r\nmg h h\r\nmg h u h\r\n'),
    'HD\r\nHD h0\r\nHD h0\r\nHD h1\r\n',
  );
  t.equal(
    await client.ask('get h\r\nms h 1\r\ny\r\nmg h h l\r\n'),
    'VALUE h 0 1\r\nx\r\nEND\r\nHD\r\nHD h0 l0\r\n',
  );
  t.equal(
    await client.ask('set plain 0 0 1\r\nx\r\nmg plain h\r\nmg plain h\r\n'),
    'STORED\r\nHD h0\r\nHD h1\r\n',
  );
  await client.ask('ms idle 1\r\nx\r\n');
  let answer = 'HD l0\r\n';
  while (answer === 'HD l0\r\n') answer = await client.ask('mg idle l u\r\n');
  t.equal(answer, 'HD l1\r\n', 'after a second');
  t.match(await client.ask('me idle\r\n'), /^ME idle exp=-1 la=1 cas=\d+ fetch=no cls=1 size=5\r\n$/);
  t.equal(await client.ask('me nothing\r\nme\r\n'), 'EN\r\nCLIENT_ERROR bad command line format\r\n');
});

t.test('arithmetic', (t) =>
  session(t, [
    ['ma x\r\n', 'NF\r\n'],
    ['ma x q k O1\r\n', 'NF kx O1\r\n'],
    ['ma x N60 J13 v t\r\n', 'VA 2 t60\r\n13\r\n'],
    ['ma x N60 J13 v\r\n', 'VA 2\r\n14\r\n'],
    ['ma x D30 v c\r\n', 'VA 2 c#\r\n44\r\n'],
    ['ma x MD D22 v\r\n', 'VA 2\r\n22\r\n'],
    ['ma x M- D9000 v T300 t\r\n', 'VA 1 t300\r\n0\r\n'],
    ['ma x M+\r\nma x MI v\r\n', 'HD\r\nVA 1\r\n2\r\n'],
    ['ma x q\r\n', ''],
    ['ma y q N0\r\n', 'HD\r\n'],
    ['ma x C99 v\r\n', 'EX\r\n'],
    ['ma x MX\r\n', 'CLIENT_ERROR invalid mode for ma M token\r\n'],
    ['ma x Dz\r\n', 'CLIENT_ERROR invalid or duplicate flag\r\n'],
    ['ms x 1\r\nq\r\nma x\r\n', 'HD\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n'],
  ]),
);

t.test('a version decides', async (t) => {
  const client = stack.client();
  const versionOf = async (key: string) => /c(\d+)/.exec(await client.ask(`mg ${key} c\r\n`))![1];
  await client.ask('ms v 1\r\n1\r\n');
  const first = await versionOf('v');
  t.match(await client.ask(`ma v C${first} c v\r\n`), /^VA 1 c\d+\r\n2\r\n$/);
  t.equal(await client.ask(`ma v C${first}\r\n`), 'EX\r\n');
  t.equal(await client.ask(`md v C${first}\r\nmd v C0\r\nmd nothing C0\r\n`), 'EX\r\nEX\r\nNF\r\n');
  t.equal(await client.ask(`ms v 1 C${await versionOf('v')} MA\r\n3\r\n`), 'HD\r\n');
  t.equal(await client.ask(`md v C${await versionOf('v')} k\r\nmg v\r\n`), 'HD kv\r\nEN\r\n');
});

t.test('what makes no sense, in the words of memcached 1.6.18', (t) =>
  session(t, [
    ['mg\r\n', 'ERROR\r\n'],
    ['ms\r\n', 'ERROR\r\n'],
    ['mx a\r\n', 'ERROR\r\n'],
    ['ms a\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['ms a x\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['ms a -1\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['ms a 1 MZ\r\nx\r\n', 'CLIENT_ERROR invalid mode for ms M token\r\n'],
    ['ms a 1 MZZ\r\nx\r\n', 'CLIENT_ERROR incorrect length for M token\r\n'],
    ['ms a 1 Fx\r\nx\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['ms a 1 Tx\r\nx\r\n', 'CLIENT_ERROR bad token in command line format\r\n'],
    ['ms a 1 Cx\r\nx\r\n', 'CLIENT_ERROR bad token in command line format\r\n'],
    ['ms a 1 q\r\nxyz\r\n', 'CLIENT_ERROR bad data chunk\r\nERROR\r\n'],
    ['mg a m\r\n', 'CLIENT_ERROR invalid flag\r\n'],
    ['mg a s s\r\n', 'CLIENT_ERROR duplicate flag\r\n'],
    ['mg a Nx\r\n', 'CLIENT_ERROR bad token in command line format\r\n'],
    ['mg a Jx\r\n', 'CLIENT_ERROR invalid numeric initial value\r\n'],
    ['mg a Dx\r\n', 'CLIENT_ERROR invalid numeric delta value\r\n'],
    [`mg a O${'o'.repeat(31)}\r\n`, `EN O${'o'.repeat(31)}\r\n`],
    [`mg a O${'o'.repeat(32)}\r\n`, 'CLIENT_ERROR opaque token too long\r\n'],
    [`mg a ${'s '.repeat(20)}\r\n`, 'CLIENT_ERROR options flags are too long\r\n'],
    [`md a ${'s '.repeat(20)}\r\n`, 'CLIENT_ERROR options flags too long\r\n'],
    ['md a s s\r\n', 'CLIENT_ERROR invalid or duplicate flag\r\n'],
    [`mg ${'k'.repeat(251)} v\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`ms ${'k'.repeat(251)} 1\r\nx\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    [`md ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n'],
    ['mg a v\r\nquit\r\nmg a v\r\n', 'EN\r\n'],
  ]),
);

t.test('a stampede on a key that is not there: one client wins, the others are told', async (t) => {
  const clients = Array.from({ length: 5 }, () => stack.client());
  const answers = await Promise.all(clients.map((client) => client.ask('mg win s c v N30 t\r\n')));
  const winners = answers.filter((answer) => answer.endsWith(' W\r\n\r\n'));
  t.equal(winners.length, 1);
  t.match(winners[0], new RegExp(`^VA 0 s0 c\\d+ ${timeLeft(30)} W\r\n\r\n$`));
  const others = answers.filter((answer) => !winners.includes(answer));
  const told = new RegExp(`^VA 0 s0 c\\d+ ${timeLeft(30)} Z\r\n\r\n$`);
  t.ok(others.every((answer) => told.test(answer)));
  const [one, two] = clients;
  t.equal(await one.ask('mg win v\r\nget win\r\n'), 'EN\r\nEND\r\n', 'there is no item for anybody else yet');
  const version = /c(\d+)/.exec(winners[0])![1];
  t.equal(
    await two.ask('ms win 2 C5000\r\nno\r\n'),
    'EX\r\n',
    'who does not name the version of the lease fills nothing',
  );
  t.equal(await two.ask(`ms win 2 C${version} T120\r\nmu\r\n`), 'HD\r\n');
  t.match(await one.ask('mg win s v t N30\r\n'), new RegExp(`^VA 2 s2 ${timeLeft(120)}\r\nmu\r\n$`));
  t.equal(await one.ask(`ms win 2 C${version}\r\nno\r\n`), 'EX\r\n', 'once');
});

t.test('an item with little time left is refreshed by one client', async (t) => {
  const [one, two] = [stack.client(), stack.client()];
  await one.ask('ms short 1 T60\r\nx\r\n');
  t.equal(await one.ask('mg short v R30\r\n'), 'VA 1\r\nx\r\n');
  t.equal(await one.ask('mg short v R90\r\n'), 'VA 1 W\r\nx\r\n');
  t.equal(await two.ask('mg short v R90\r\n'), 'VA 1 Z\r\nx\r\n');
  t.equal(await two.ask('mg short v\r\n'), 'VA 1 Z\r\nx\r\n');
  t.equal(await two.ask('mg short T70 v\r\n'), 'VA 1 Z\r\nx\r\n', 'a touch leaves the winner alone');
  t.equal(await two.ask('mg short v\r\n'), 'VA 1 Z\r\nx\r\n');
  t.equal(await one.ask('ms short 1 T300\r\ny\r\nmg short v R90\r\n'), 'HD\r\nVA 1\r\ny\r\n');
});

t.test('a stale item is served while one client refreshes it', async (t) => {
  const [one, two] = [stack.client(), stack.client()];
  await one.ask('ms stale 3 F6\r\nmoo\r\n');
  t.equal(await one.ask('md stale I T30\r\n'), 'HD\r\n');
  const won = await one.ask('mg stale s t c v f\r\n');
  t.match(won, new RegExp(`^VA 3 s3 ${timeLeft(30)} c\\d+ f6 X W\r\nmoo\r\n$`));
  t.equal(await two.ask('mg stale v\r\n'), 'VA 3 Z X\r\nmoo\r\n');
  t.equal(await two.ask('ms stale 1 T90 C0\r\nf\r\n'), 'EX\r\n');
  t.equal(
    await two.ask('ms stale 1 I T90 C1\r\nf\r\n'),
    'HD\r\n',
    'a late value is served, and remains stale',
  );
  const late = await two.ask('mg stale v t c\r\n');
  t.match(late, new RegExp(`^VA 1 ${timeLeft(30)} c\\d+ Z X\r\nf\r\n$`));
  const version = /c(\d+)/.exec(late)![1];
  t.equal(await one.ask(`ms stale 1 I T90 C${version}\r\ng\r\n`), 'HD\r\n');
  t.match(await two.ask('mg stale v t\r\n'), new RegExp(`^VA 1 ${timeLeft(90)}\r\ng\r\n$`));
  t.equal(await two.ask('md stale I C5\r\nmd nothing I\r\nmd stale I q\r\n'), 'EX\r\nNF\r\n');
  t.equal(
    await two.ask('mg stale v\r\nmd stale I\r\nmg stale v\r\n'),
    'VA 1 X W\r\ng\r\nHD\r\nVA 1 X W\r\ng\r\n',
    'made stale again, somebody wins again',
  );
});
