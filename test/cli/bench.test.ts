import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { get, LATER, MGET, type Operation, type Source, set } from '../../cli/bench/operation.ts';
import { Payload } from '../../cli/bench/payload.ts';
import { prepareRecorders, Recorder, type Result } from '../../cli/bench/recorder.ts';
import { renderComparison, renderResult, spreadOf } from '../../cli/bench/report.ts';
import { type RunOptions, runLoad } from '../../cli/bench/run.ts';
import { Session } from '../../cli/bench/session.ts';
import { laneFactory, parseTarget } from '../../cli/bench/target.ts';
import { readTrace, replay } from '../../cli/bench/trace.ts';
import { fill, generate, keyName, parseWorkload } from '../../cli/bench/workload.ts';
import { Zipf } from '../../cli/bench/zipf.ts';
import { ManualClock, seededRandom, systemClock } from '../../lib/base/index.ts';
import { runRingside, startRingside } from '../support/ringside.ts';

await prepareRecorders();

t.test('workloads', async (t) => {
  t.same(parseWorkload('get'), { readShare: 1, keysPerRead: 0 });
  t.same(parseWorkload('set'), { readShare: 0, keysPerRead: 0 });
  t.same(parseWorkload('mix:0.9'), { readShare: 0.9, keysPerRead: 0 });
  t.same(parseWorkload('mget:100'), { readShare: 1, keysPerRead: 100 });
  for (const wrong of ['', 'put', 'mix', 'mix:', 'mix:2', 'mget:0', 'mget:1.5', 'mget:99999']) {
    t.throws(() => parseWorkload(wrong), { code: 'usage' }, wrong);
  }
  const space = { keys: 10, valueBytes: 7 };
  const mixed = generate(parseWorkload('mix:0.75'), space, seededRandom(1));
  const operations = Array.from({ length: 4000 }, () => mixed.next() as Operation);
  const reads = operations.filter(({ kind }) => kind === 0).length;
  t.ok(Math.abs(reads / 4000 - 0.75) < 0.05, `${reads} of 4000 read`);
  t.equal(new Set(operations.map(({ key }) => key)).size, 10);
  t.match(generate(parseWorkload('mget:3'), space, seededRandom(1)).next(), {
    kind: MGET,
    keys: { length: 3 },
  });
  const all = fill(space);
  t.same(
    Array.from({ length: 11 }, () => (all.next() as Operation | null)?.key ?? null),
    [...Array.from({ length: 10 }, (_, i) => keyName(i)), null],
  );
});

t.test('Zipf is as its definition says', async (t) => {
  for (const [n, s] of [
    [1, 1],
    [2, 0.5],
    [50, 0.99],
    [50, 1],
    [50, 2.5],
  ] as const) {
    const zipf = new Zipf(n, s, seededRandom(7));
    const draws = 50_000;
    const counts = new Array<number>(n).fill(0);
    for (let i = 0; i < draws; i++) counts[zipf.next()]++;
    const weights = counts.map((_, k) => (k + 1) ** -s);
    const sum = weights.reduce((a, b) => a + b);
    const worst = Math.max(
      ...counts.map((c, k) => {
        const expected = (draws * weights[k]) / sum;
        return Math.abs(c - expected) / Math.sqrt(expected + 1);
      }),
    );
    t.ok(worst < 5, `n ${n}, s ${s}: ${worst.toFixed(1)} standard deviations`);
  }
});

t.test('traces', async (t) => {
  const oracle = Buffer.alloc(72);
  for (const [i, [key, size]] of [
    [7n, 10],
    [2n ** 64n - 1n, 20],
    [7n, 30],
  ].entries()) {
    oracle.writeBigUInt64LE(key as bigint, i * 24 + 4);
    oracle.writeUInt32LE(size as number, i * 24 + 12);
  }
  const recs = Buffer.alloc(16);
  recs.writeBigInt64BE(-1n, 0);
  recs.writeBigInt64BE(5n, 8);
  const dir = t.testdir({
    oracle,
    recs: gzipSync(recs),
    cdn: '1 0 68\n2 1 7454\n3 0 68',
    'cdn.gz': gzipSync('1 9 1\n'),
    torn: oracle.subarray(0, 30),
    empty: '',
    wrong: '1 2 3\n4 five 6\n',
  });
  const read = async (name: string, format: 'oracle' | 'recs' | 'cdn', limit?: number) => {
    const { keys, sizes } = await readTrace(join(dir, name), format, limit);
    return { keys: [...keys], sizes: sizes && [...sizes] };
  };
  t.same(await read('oracle', 'oracle'), { keys: [7n, 2n ** 64n - 1n, 7n], sizes: [10, 20, 30] });
  t.same(await read('oracle', 'oracle', 2), { keys: [7n, 2n ** 64n - 1n], sizes: [10, 20] });
  t.same(await read('recs', 'recs'), { keys: [2n ** 64n - 1n, 5n], sizes: null });
  t.same(
    await read('cdn', 'cdn'),
    { keys: [0n, 1n, 0n], sizes: [68, 7454, 68] },
    'also without a line end at the end',
  );
  t.same(await read('cdn.gz', 'cdn'), { keys: [9n], sizes: [1] });
  await t.rejects(read('torn', 'oracle'), /torn ends in the middle of a record: is it a oracle trace\?/);
  await t.rejects(read('empty', 'cdn'), /empty holds no request/);
  await t.rejects(read('wrong', 'cdn'), /wrong request 2 is not `time key size`: "4 five 6"/);
  await t.rejects(read('none', 'cdn'), { code: 'ENOENT' });

  const source = replay(await readTrace(join(dir, 'cdn'), 'cdn'), 5);
  const first = source.next() as Operation;
  t.match(first, { kind: 0, key: 'trace:0', valueBytes: 68 });
  t.match(source.followUp(first, 0), { kind: 1, key: 'trace:0', valueBytes: 68 }, 'a miss is filled');
  const second = source.next() as Operation;
  t.match(second, { key: 'trace:1' });
  t.equal(source.next(), LATER, 'a key whose fill is under way is not asked for again');
  t.equal(source.followUp(set('trace:0', 68), 0), null);
  t.match(source.next(), { key: 'trace:0' });
  t.equal(source.next(), null);
  t.equal(source.followUp(set('x', 1), 0), null);
});

t.test('values are prefixes of one text', async (t) => {
  const payload = new Payload();
  t.equal(payload.text(0), '');
  t.equal(payload.text(10), payload.bytes(10).toString());
  t.equal(payload.text(5000), null);
  t.equal(payload.bytes(1_000_000).length, 1_000_000);
  t.equal(payload.bytes(4096).toString(), payload.text(4096));
  t.throws(() => payload.bytes(2 ** 31), { code: 'too_large', message: /2147483648 bytes/ });
});

t.test('with a rate, a stall of the target counts against it', async (t) => {
  const clock = new ManualClock();
  const recorder = new Recorder();
  const source: Source = { next: () => get('k', 1), followUp: () => null, failed: () => {} };
  const session = new Session(source, recorder, { seconds: 10, ops: 3, rate: 10 }, clock);
  session.begin();
  const first = session.next()!;
  t.equal(session.next(), null, 'the second is due in 100 ms');
  t.equal(session.idleMs, 100);
  clock.advance(1000);
  session.tick();
  session.answered(first, 1, 1);
  const late = session.next()!;
  t.equal(late.startMs, 100, 'it was due long ago');
  session.answered(late, 1, 0);
  t.ok(session.next());
  t.ok(session.isOver, 'three were asked for');
  const { latencyMs, hitRatio } = recorder.result(1, false);
  t.ok(latencyMs.max >= 1000 && latencyMs.p50 >= 900, JSON.stringify(latencyMs));
  t.equal(hitRatio, 0.5);
  for (let i = 0; i < 20; i++) recorder.failed(`error ${i}`);
  t.equal(Object.keys(recorder.result(1, false).errorTexts!).length, 8, 'only so many texts are kept');
  recorder.dispose();
});

t.test('no percentile is above the maximum', async (t) => {
  const recorder = new Recorder();
  recorder.answered(14.268, 1, 1);
  const { p50, p999, max } = recorder.result(1, false).latencyMs;
  t.same({ p50, p999, max }, { p50: 14.268, p999: 14.268, max: 14.268 });
  recorder.dispose();
});

t.test('targets', async (t) => {
  t.match(parseTarget('resp://127.0.0.1'), {
    protocol: 'resp',
    host: '127.0.0.1',
    port: 7379,
    name: 'resp://127.0.0.1:7379',
  });
  t.match(parseTarget('memcache://[::1]:5'), { protocol: 'memcache', host: '::1', port: 5 });
  t.match(parseTarget('redis://me:p%40ss@h:1/0'), {
    protocol: 'resp',
    username: 'me',
    password: 'p@ss',
    name: 'redis://h:1',
  });
  for (const wrong of [
    '127.0.0.1:7379',
    'ftp://x',
    'resp://',
    'resp://h:99999',
    'http://h/path',
    'rediss://h',
  ]) {
    t.throws(() => parseTarget(wrong), { code: 'usage' }, wrong);
  }
});

/** Listens on a free port until the test is over. */
async function listen(
  t: { after(f: () => void): unknown },
  onSocket: (socket: Socket) => void,
): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

const load = async (url: string, source: Source, more: Partial<RunOptions>): Promise<Result> =>
  runLoad(await laneFactory(parseTarget(url)), source, {
    ...{ seconds: 30, ops: Infinity, rate: 0, connections: 1, pipeline: 1, clock: systemClock },
    ...more,
  });

t.test('memcached answers may come in any pieces', async (t) => {
  const address = await listen(t, (socket) => {
    let asked = '';
    socket.on('data', (chunk) => {
      asked += chunk.toString('latin1');
      for (let end = asked.indexOf('\r\n'); end >= 0; end = asked.indexOf('\r\n')) {
        const [command, ...rest] = asked.slice(0, end).split(' ');
        asked = asked.slice(end + 2 + (command === 'set' ? Number(rest[3]) + 2 : 0));
        const value = (key: string) => `VALUE ${key} 0 6\r\nEND\r\n!\r\n`;
        const answer =
          command === 'set'
            ? 'STORED\r\n'
            : `${rest
                .filter((key) => key !== 'bench:0')
                .map(value)
                .join('')}END\r\n`;
        for (const byte of answer) socket.write(byte, 'latin1');
      }
    });
  });
  const space = { keys: 4, valueBytes: 5 };
  const result = await load(
    `memcache://${address}`,
    generate(parseWorkload('mget:2'), space, seededRandom(3)),
    { ops: 50, countsKeys: true, pipeline: 8 },
  );
  t.match(result, { requests: 50, errors: 0, keys: 100 });
  t.ok(result.hitRatio > 0.5 && result.hitRatio < 1, `${result.hitRatio}`);
  const mixed = await load(
    `memcache://${address}`,
    generate(parseWorkload('mix:0.5'), space, seededRandom(3)),
    { ops: 100, pipeline: 8 },
  );
  t.match(mixed, { requests: 100, errors: 0 });
});

t.test('broken connections are errors, counted and survived', async (t) => {
  let connections = 0;
  const address = await listen(t, (socket) => {
    const isFirst = ++connections === 1;
    socket.on('data', (chunk) => {
      if (isFirst) socket.destroy();
      else socket.write('-ERR no\r\n'.repeat(chunk.toString().split('GET').length - 1));
    });
  });
  const result = await load(`resp://${address}`, fillWithGets(20), { pipeline: 5 });
  t.equal(result.requests, 20);
  t.equal(result.errors, 20);
  t.match(result.errorTexts, { 'ERR no': 15 });
  t.equal(connections, 2);
  const refused = await runRingside([
    'bench',
    '--target',
    `resp://${address}`,
    '--ops',
    '5',
    '--json',
    '--workload',
    'get',
  ]);
  t.equal(refused.code, 1, 'not one command succeeded');
  t.equal(JSON.parse(refused.stdout).errors, 5);
  await t.rejects(load('resp://127.0.0.1:1', fillWithGets(1), {}), { code: 'ECONNREFUSED' });
});

function fillWithGets(count: number): Source {
  let left = count;
  return { next: () => (left-- > 0 ? get('k', 1) : null), followUp: () => null, failed: () => {} };
}

t.test('ringside bench', async (t) => {
  const node = await startRingside([
    'node',
    '--standalone',
    '--port',
    'auto',
    '--admin-port',
    'off',
    '--log-level',
    'warn',
  ]);
  t.after(() => node.stop());
  const off = ['memcached', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
  const auto = ['resp', 'http', 'grpc'].flatMap((name) => [`--${name}-port`, 'auto']);
  const proxy = await startRingside([
    'proxy',
    '--upstream',
    `a=${node.ready.resp}`,
    ...auto,
    ...off,
    '--log-level',
    'warn',
  ]);
  t.after(() => proxy.stop());
  const bench = async (...args: string[]) => {
    const done = await runRingside(['bench', '--json', '--connections', '4', ...args]);
    t.equal(done.code, 0, `${args.join(' ')} ${done.stderr}`);
    t.equal(done.stdout.split('\n').length, 2, 'one line of JSON');
    return JSON.parse(done.stdout) as Result & {
      against: Result;
      ratio: { median: number };
      rounds: unknown[];
    };
  };
  const keys = ['--keys', '50', '--value-bytes', '20'];
  const shape = {
    errors: 0,
    seconds: Number,
    throughput: Number,
    latencyMs: { p50: Number, p90: Number, p99: Number, p999: Number, max: Number },
  };
  for (const target of [
    `resp://${node.ready.resp}`,
    `resp://${proxy.ready.resp}`,
    `http://${proxy.ready.http}`,
    `grpc://${proxy.ready.grpc}`,
  ]) {
    const filled = await bench(
      '--target',
      target,
      '--preload',
      '--ops',
      '100',
      '--workload',
      'get',
      '--zipf',
      '0.99',
      ...keys,
    );
    t.match(filled, { ...shape, requests: 100, hitRatio: 1 }, target);
    const many = await bench(
      '--target',
      target,
      '--ops',
      '40',
      '--workload',
      'mget:10',
      '--pipeline',
      '4',
      '--keys',
      '100',
    );
    t.match(many, { ...shape, requests: 40, keys: 400 });
    t.ok(many.hitRatio > 0.2 && many.hitRatio < 0.8, 'half of the keys are there');
    const mixed = await bench(
      '--target',
      target,
      '--ops',
      '100',
      '--workload',
      'mix:0.5',
      '--rate',
      '2000',
      '--value-bytes',
      '5000',
    );
    t.match(mixed, { ...shape, requests: 100 });
  }
  const dir = t.testdir({ trace: '1 1 10\n2 2 20000\n3 1 10\n4 3 1\n5 2 20000\n' });
  const trace = ['--trace', join(dir, 'trace'), '--format', 'cdn', '--connections', '1'];
  const replayed = await bench('--target', `resp://${proxy.ready.resp}`, ...trace);
  t.match(replayed, { requests: 8, errors: 0, hitRatio: 0.4 }, 'five GETs, two of them hits, and three SETs');
  const compared = await bench(
    '--target',
    `resp://${proxy.ready.resp}`,
    '--against',
    `resp://${node.ready.resp}`,
    '--rounds',
    '3',
    '--ops',
    '50',
  );
  t.match(compared, {
    requests: 50,
    against: { requests: 50 },
    ratio: { median: Number, min: Number, max: Number },
    rounds: { length: 3 },
  });
});

t.test('reports for people', async (t) => {
  t.same(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
  t.same(spreadOf([4, 1]), { median: 2.5, min: 1, max: 4 });
  const result: Result = {
    ...{ requests: 2000, errors: 1, seconds: 2, throughput: 1000, hitRatio: 0.5, keys: 20_000 },
    latencyMs: { p50: 1, p90: 2, p99: 3, p999: 4, max: 5 },
    errorTexts: { 'ERR x': 1 },
  };
  t.match(
    renderResult('resp://h:1', result),
    /1,000 commands\/s \(2,000 in 2 s\)\nkeys: 10,000\/s\nhit ratio: 50\.00 %\nlatency: p50 1 ms/,
  );
  t.match(renderResult('resp://h:1', result), '1 x ERR x');
  const rounds = [{ target: result, against: { ...result, throughput: 500 } }];
  t.match(
    renderComparison({ target: 'a', against: 'b', rounds }),
    'ratio 2.00 x (2.00-2.00), medians of 1 alternations',
  );
});
