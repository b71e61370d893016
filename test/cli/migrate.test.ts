import t from 'tap';
import { ProgressMeter } from '../../cli/migrate/progress.ts';
import { Reporter, sizeText } from '../../cli/migrate/report.ts';
import { factsOf, type ServerFacts } from '../../cli/migrate/server-facts.ts';
import { parseServerUrl } from '../../cli/migrate/server-url.ts';

const facts = (fields: Partial<ServerFacts>): ServerFacts => ({ ...factsOf(''), ...fields });

t.test('URLs of servers', async (t) => {
  t.match(parseServerUrl('redis://127.0.0.1:6379', '--from'), {
    address: '127.0.0.1:6379',
    user: '',
    password: '',
  });
  t.match(parseServerUrl('redis://:p%40ss@cache/0', '--from'), {
    address: 'cache:6379',
    user: '',
    password: 'p@ss',
  });
  t.match(parseServerUrl('redis://me:x@[::1]:1', '--from'), { address: '[::1]:1', host: '::1', user: 'me' });
  for (const wrong of [
    '',
    'cache:6379',
    'http://cache',
    'redis://',
    'redis://cache/3',
    'rediss://cache',
    'redis://a?b',
  ]) {
    t.throws(() => parseServerUrl(wrong, '--from'), { code: 'usage', message: /^--from: / }, wrong);
  }
});

t.test('what INFO says', async (t) => {
  const info = (...lines: string[]) => factsOf(lines.join('\r\n'));
  t.match(
    info(
      'redis_version:7.0.15',
      'role:master',
      'master_repl_offset:42',
      'db0:keys=3,expires=0',
      'db9:keys=4,expires=1',
    ),
    {
      isNode: false,
      version: 70015,
      leader: null,
      offset: 42,
      keys: 7,
      syncBytes: null,
    },
  );
  t.equal(info('shard:standalone').isControlled, false);
  t.equal(info('shard:s0').isControlled, true);
  const follower = [
    'role:slave',
    'master_host:::1',
    'master_port:6379',
    'slave_repl_offset:7',
    'master_repl_offset:9',
  ];
  t.match(info('ringside_version:1', ...follower, 'master_link_status:up'), {
    isNode: true,
    leader: '[::1]:6379',
    isLinked: true,
    offset: 7,
  });
  t.match(
    info(...follower, 'master_link_status:down', 'master_sync_read_bytes:5', 'master_sync_total_bytes:9'),
    {
      isLinked: false,
      syncBytes: { read: 5, total: 9 },
    },
  );
});

t.test('progress: a snapshot, then a lag that shrinks', async (t) => {
  const meter = new ProgressMeter();
  t.match(meter.take(0, facts({ keys: 1000 }), facts({})), { phase: 'waiting', etaSeconds: null });
  const at = (nowMs: number, read: number, keys: number, total = 0) =>
    meter.take(nowMs, facts({ keys: 1000 }), facts({ keys, syncBytes: { read, total } }));
  t.match(at(1000, 10, 0), { phase: 'snapshot', snapshotBytes: 10, etaSeconds: null });
  t.match(at(3000, 100, 250), { etaSeconds: 6 }, 'by keys where the leader does not say how much it sends');
  t.match(at(5000, 500, 250, 1000), { etaSeconds: 4 }, 'by bytes where it does');
  const stream = (nowMs: number, source: number, target: number) =>
    meter.take(nowMs, facts({ offset: source }), facts({ isLinked: true, offset: target }));
  t.match(stream(6000, 1000, 0), { phase: 'stream', lagBytes: 1000, lagSeconds: 0, etaSeconds: null });
  t.match(stream(7000, 1500, 999), { lagBytes: 501, lagSeconds: 1, drainSeconds: 501 / 999 });
  t.match(
    stream(8000, 2000, 1500),
    { lagBytes: 500, lagSeconds: 0, etaSeconds: 2 },
    'it has all of a second ago',
  );
  t.match(stream(9000, 2000, 2000), { lagBytes: 0, lagSeconds: 0, etaSeconds: 0 });
});

t.test('lines for people are at most 80 wide; JSON has 64-bit numbers as strings', async (t) => {
  const big = {
    phase: 'snapshot' as const,
    keys: 50_000_000,
    sourceKeys: 50_000_000,
    snapshotBytes: 999_940_000_000,
    snapshotTotalBytes: 999_940_000_000,
    lagBytes: 999_940_000,
    lagSeconds: 100,
    drainSeconds: 7000,
    etaSeconds: 7000,
  };
  let text = '';
  const lines = new Reporter(false, (line) => {
    text += line;
  });
  lines.progress(0, big);
  lines.progress(500, big);
  lines.progress(1000, big);
  lines.progress(1001, { ...big, phase: 'stream' });
  lines.say('hold', `${'word '.repeat(40)}`, { atMs: 7 });
  t.equal(
    text.split('\n').filter((line) => /^(snapshot|stream)/.test(line)).length,
    3,
    'one a second, and each phase',
  );
  t.notMatch(text, /^.{81}/m);
  text = '';
  new Reporter(true, (line) => {
    text += line;
  }).progress(0, big);
  t.match(JSON.parse(text), {
    step: 'follow',
    snapshotBytes: '999940000000',
    lagBytes: '999940000',
    keys: 50_000_000,
  });
  t.same([0, 999, 1000, 1_500_000].map(sizeText), ['0 B', '999 B', '1.0 kB', '1.5 MB']);
});
