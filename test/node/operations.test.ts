import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { ManualClock, seededRandom } from '../../lib/base/index.ts';
import { argsOf, encodeCommand } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { Durations, LatencyMonitor, latencyGraph, MAX_NS, quoted, SlowLog } from '../../lib/metrics/index.ts';
import { HeavyHitters } from '../../lib/store/index.ts';
import { CommandStats } from '../../node/operations/command-stats.ts';
import { CommandWatch } from '../../node/operations/command-watch.ts';
import { HotKeys } from '../../node/operations/hot-keys.ts';
import { Client } from '../../node/server/client.ts';
import { OutputGuard, outputLimitOf } from '../../node/server/output-limit.ts';
import { Settings } from '../../node/settings.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* What people look at who look after a node. The replies that Redis gives are in test/node/transcripts. */

function connect(t: Test, address: string): RespClient {
  const client = new RespClient(address);
  t.teardown(() => client.close());
  return client;
}

/** Keys by Zipf's law with exponent 1: key i comes in proportion to 1/(i+1). */
function zipf(keys: number, random: { next(): number }): () => string {
  const sums: number[] = [];
  let sum = 0;
  for (let i = 0; i < keys; i++) {
    sum += 1 / (i + 1);
    sums.push(sum);
  }
  return () => {
    const wanted = random.next() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return `key:${low}`;
  };
}

t.test('heavy hitters against exact counts', async (t) => {
  for (const [seed, capacity, keys] of [
    [1, 64, 10_000],
    [2, 256, 100_000],
    [3, 16, 100],
    [4, 8, 8],
  ]) {
    const random = seededRandom(seed);
    const next = zipf(keys, random);
    const exact = new Map<string, number>();
    const hitters = new HeavyHitters(capacity);
    const total = 100_000;
    for (let i = 0; i < total; i++) {
      const key = next();
      exact.set(key, (exact.get(key) ?? 0) + 1);
      hitters.add(key);
    }
    const found = hitters.top(capacity);
    for (const { key, count, error } of found) {
      const real = exact.get(key) ?? 0;
      if (count < real || count - error > real || error > total / capacity) {
        t.fail(`${key}: ${count} (at most ${error} too high) of ${real}, seed ${seed}`);
      }
    }
    const names = new Set(found.map(({ key }) => key));
    const missed = [...exact].filter(([key, count]) => count > total / capacity && !names.has(key));
    t.strictSame(missed, [], `seed ${seed}: whoever has more than its share is found`);
    t.strictSame(
      found,
      [...found].sort((a, b) => b.count - a.count),
      'most frequent first',
    );
  }
});

t.test('heavy hitters fade', async (t) => {
  const hitters = new HeavyHitters(4);
  hitters.add('old', 100);
  for (let i = 0; i < 5; i++) hitters.fade(0.5, 1);
  hitters.add('new', 10);
  t.strictSame(
    hitters.top(2).map(({ key }) => key),
    ['new', 'old'],
  );
  for (let i = 0; i < 3; i++) hitters.fade(0.5, 1);
  t.strictSame(
    hitters.top(2).map(({ key }) => key),
    ['new'],
    'what is below the least is forgotten',
  );
});

t.test('durations against a sorted list', async (t) => {
  const random = seededRandom(7);
  const durations = new Durations();
  const values: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const value = Math.floor(2 ** (random.next() * 35));
    values.push(value);
    durations.record(value, 1);
  }
  values.sort((a, b) => a - b);
  for (const percent of [0, 1, 25, 50, 90, 99, 99.9, 100]) {
    const exact = values[Math.max(0, Math.floor((percent / 100) * values.length + 0.5) - 1)];
    const found = durations.percentile(percent);
    t.ok(found >= exact && found <= exact * 1.01 + 1, `p${percent}: ${found} for ${exact}`);
  }
  const bounds = [100, 1000, 1e6, 1e9, 3e10];
  for (const [i, count] of durations.cumulative(bounds).entries()) {
    const least = values.filter((value) => value <= bounds[i]).length;
    const most = values.filter((value) => value <= bounds[i] * 1.01 + 1).length;
    t.ok(count >= least && count <= most, `up to ${bounds[i]}: ${count} of ${least} to ${most}`);
  }
  durations.record(2 ** 40, 3);
  t.equal(durations.total, values.length + 3);
  t.equal(
    durations.percentile(100),
    durations.highestEquivalent(MAX_NS),
    'what is beyond the scale is at its end',
  );
  t.strictSame(durations.cumulative([2 ** 35, MAX_NS]), [values.length, values.length + 3]);
});

t.test('durations of commands, however many wait for their histograms', async (t) => {
  const stats = new CommandStats();
  const [get, set] = [commandTable.get('GET')!.id, commandTable.get('SET')!.id];
  for (let i = 1; i <= 1000; i++) {
    stats.took(get, 2, 0.001, true);
    if (i % 3 === 0) stats.took(set, 1, 0.005, i % 2 === 0);
    if (i % 97 === 0) t.equal(stats.durationsOf(get)?.total, 2 * i);
  }
  t.equal(stats.durationsOf(get)?.total, 2000);
  t.equal(stats.durationsOf(set)?.total, 166, 'those that are not tracked are not in it');
  t.ok(Math.abs(stats.durationsOf(set)!.sum - 166 * 5000) < 1);
  stats.took(get, 1, 1, true);
  stats.reset();
  t.equal(stats.durationsOf(get), null, 'nor does what waited come back after a reset');
});

function watchAt(clock: ManualClock) {
  const settings = new Settings({
    maxMemoryBytes: 0,
    maxMemoryPolicy: 'noeviction',
    requirePass: '',
    idleTimeoutMs: 0,
    maxClients: 1,
    maxBulkBytes: 1,
    fixed: new Map(),
  });
  const parts = { clock, settings, slowLog: new SlowLog(), latency: new LatencyMonitor() };
  const watch = new CommandWatch({ ...parts, hotKeys: new HotKeys(seededRandom(1)) });
  const fields = { id: 1, address: '1.2.3.4:5', localAddress: '', nowMs: 0, authenticated: true };
  const client = new Client(fields);
  /** Runs one command that takes so long. */
  const run = (line: string, ms: number, { replyBytes = 0, hasFailed = false, within = () => {} } = {}) => {
    const args = argsOf(...line.split(' '));
    const spec = commandTable.get(line.split(' ')[0].toUpperCase())!;
    const started = watch.begins(spec, args);
    clock.advance(ms);
    within();
    watch.ended(spec, client, args, started, replyBytes, hasFailed);
  };
  const tookMs = (name: string) =>
    Math.round(watch.stats.elapsedMs[commandTable.get(name)!.id] * 1000) / 1000;
  const calls = (name: string) => watch.stats.calls[commandTable.get(name)!.id];
  return { watch, settings, client, run, tookMs, calls };
}

t.test('the time of commands', async (t) => {
  t.test('quick ones that follow each other share it', async (t) => {
    const clock = new ManualClock();
    const { watch, run, tookMs, calls } = watchAt(clock);
    watch.beginTurn(clock.monotonicMs());
    run('GET a', 3);
    run('GET a', 1);
    run('SET a 1', 2);
    watch.endTurn();
    t.strictSame([tookMs('GET'), tookMs('SET'), calls('GET'), calls('SET')], [4, 2, 2, 1]);
    watch.beginTurn(clock.monotonicMs());
    run('GET a', 5);
    watch.endTurn();
    t.equal(tookMs('GET'), 9, 'one alone has its own');
  });

  t.test('those that may take long, or have much data, are measured by themselves', async (t) => {
    const clock = new ManualClock();
    const { watch, run, tookMs } = watchAt(clock);
    watch.beginTurn(clock.monotonicMs());
    run('GET a', 1);
    run('KEYS *', 50);
    run('GET a', 1);
    run(`SET a ${'x'.repeat(20_000)}`, 30);
    run('GET a', 1);
    watch.endTurn();
    t.strictSame([tookMs('KEYS'), tookMs('SET'), tookMs('GET')], [50, 30, 3]);
  });

  t.test('a command that runs others counts all of theirs', async (t) => {
    const clock = new ManualClock();
    const { watch, run, tookMs } = watchAt(clock);
    watch.beginTurn(clock.monotonicMs());
    run('EXEC', 1, { within: () => run('GET a', 4) });
    watch.endTurn();
    t.equal(tookMs('EXEC'), 5);
  });

  t.test('with a fine slow log every command is measured', async (t) => {
    const clock = new ManualClock();
    const { watch, settings, run } = watchAt(clock);
    settings.slowlogSlowerThanUs = 500;
    watch.beginTurn(clock.monotonicMs());
    run('GET a', 0.1);
    run('GET b', 0.9);
    run('GET c', 0.2);
    watch.endTurn();
    t.strictSame(
      watch.slowLog
        .newest(9)
        .map(({ args, durationUs, address }) => [args.join(' '), Math.round(durationUs / 100), address]),
      [['GET b', 9, '1.2.3.4:5']],
    );
  });

  t.test('spikes: the longest of each second is kept', async (t) => {
    const clock = new ManualClock({ wallMs: 5_000_000 });
    const { watch, settings, run } = watchAt(clock);
    run('KEYS *', 200);
    t.equal(watch.latency.all().length, 0, 'not without a threshold');
    settings.latencyThresholdMs = 100;
    run('KEYS *', 99);
    run('KEYS *', 150);
    run('KEYS *', 120);
    clock.advance(1000);
    run('KEYS *', 110);
    const event = watch.latency.get('command')!;
    t.strictSame([event.samples.map(({ ms }) => ms), event.maxMs], [[150, 110], 150]);
    t.match(
      latencyGraph(event, 5002),
      /^command - high 150 ms, low 110 ms \(all time high 150 ms\)\n-{80}\n/,
    );
    t.equal(watch.latency.reset(['COMMAND']), 1);
    t.equal(watch.latency.reset(['command']), 0);
  });
});

t.test('the slow log and MONITOR keep secrets', async (t) => {
  const clock = new ManualClock();
  const { watch, settings, client, run } = watchAt(clock);
  settings.slowlogSlowerThanUs = 0;
  const lines: string[] = [];
  watch.monitors.set(client, (line) => lines.push(line.slice(line.indexOf(']') + 2)));
  run('AUTH ann secret', 1);
  run('HELLO 3 SETNAME x AUTH ann secret', 1);
  run(`SADD s ${Array.from({ length: 40 }, (_, i) => i).join(' ')}`, 1);
  run(`SADD s ${'y'.repeat(130)}`, 1);
  const logged = watch.slowLog.newest(9).map(({ args }) => args.join(' '));
  t.match(logged[3], /^AUTH \(redacted\) \(redacted\)$/);
  t.match(logged[2], /^HELLO 3 SETNAME x AUTH \(redacted\) \(redacted\)$/);
  t.match(logged[1], / 28 \.\.\. \(11 more arguments\)$/);
  t.match(logged[0], /^SADD s y{128}\.\.\. \(2 more bytes\)$/);
  t.equal(lines[0], '"AUTH" "(redacted)" "(redacted)"');
  t.equal(lines[1], '"HELLO" "3" "SETNAME" "x" "AUTH" "(redacted)" "(redacted)"');
  t.equal(quoted(Buffer.from('a"\\\n\r\t\x07\b\0\xff', 'latin1')), '"a\\"\\\\\\n\\r\\t\\a\\b\\x00\\xff"');
});

t.test('INFO', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  const info = async (...sections: string[]) => (await client.text('INFO', ...sections))!;
  const names = (text: string) => text.split('\r\n').filter((line) => line.startsWith('# '));

  t.test('sections', async (t) => {
    t.strictSame(names(await info('cpu', 'SERVER')), ['# Server', '# CPU']);
    t.equal(await info('nosuch'), '');
    t.notOk((await info()).includes('# Commandstats'));
    t.ok((await info('default', 'commandstats')).includes('# Commandstats'));
    t.ok((await info('everything')).includes('# Latencystats'));
  });

  t.test('every field that redis-server has', { skip: hasRedisServer ? false : NO_REDIS }, async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const theirs = connect(t, redis.address);
    const fields = (text: string) => text.split('\r\n').map((line) => line.split(':')[0]);
    // What only a C program with jemalloc, forks and threads of its own has.
    const absent =
      /^(atomicvar_api|gcc_version|used_cpu_(sys|user)_main_thread|total_(reads|writes)_processed|io_threaded_.*|reply_buffer_.*)$/;
    const ours = new Set(fields(await info()));
    const missing = fields((await theirs.text('INFO'))!).filter(
      (name) => !ours.has(name) && !absent.test(name),
    );
    t.strictSame(missing, []);
  });

  t.test('counts of commands and errors', async (t) => {
    await client.send('CONFIG', 'RESETSTAT');
    await client.send('SET', 'a', 'x');
    await client.send('INCR', 'a');
    await client.send('LPUSH', 'a', '1');
    await client.send('GET');
    await client.send('NOSUCH');
    const text = await info('everything');
    t.match(text, /cmdstat_set:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0\r/);
    t.match(text, /cmdstat_incr:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=1\r/);
    t.match(text, /cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r/);
    t.match(text, /errorstat_ERR:count=3\r/);
    t.match(text, /errorstat_WRONGTYPE:count=1\r/);
    const waiting = connect(t, node.ready.resp);
    const id = String(await waiting.send('CLIENT', 'ID'));
    const answer = waiting.send('BLPOP', 'nothing', '0');
    await until('it is blocked', async () => (await client.send('CLIENT', 'UNBLOCK', id, 'ERROR')) === 1);
    t.match(await answer, { message: /^UNBLOCKED/ });
    t.match(
      await info('commandstats', 'errorstats'),
      /cmdstat_blpop:calls=1,.*,failed_calls=1\r.*errorstat_UNBLOCKED:count=1\r/s,
    );
    t.match(text, /latency_percentiles_usec_set:p50=[\d.]+,p99=[\d.]+,p99.9=[\d.]+\r/);
    await client.send('CONFIG', 'SET', 'latency-tracking', 'no');
    await client.send('CONFIG', 'RESETSTAT');
    await client.send('SET', 'a', 'x');
    t.notMatch(await info('latencystats'), /usec_set/);
    await client.send('CONFIG', 'SET', 'latency-tracking', 'yes');
  });

  t.test('every database, with the time its keys have left', async (t) => {
    await client.send('FLUSHALL');
    await client.send('SET', 'a', '1');
    await client.send('SET', 'b', '1', 'EX', '100');
    t.match(await info('keyspace'), /^# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=\d{4,6}\r\n$/);
  });
});

t.test('settings act', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  const set = (...parts: string[]) => client.text('CONFIG', 'SET', ...parts);

  await client.send('RPUSH', 'l', ...'abcdef');
  await client.send('HSET', 'h', 'f', 'v', 'g', 'w');
  t.equal(await client.text('OBJECT', 'ENCODING', 'h'), 'listpack');
  await set('hash-max-ziplist-entries', '2');
  await client.send('HSET', 'h', 'i', 'x');
  t.equal(await client.text('OBJECT', 'ENCODING', 'h'), 'hashtable');

  await set('maxclients', '2');
  const second = connect(t, node.ready.resp);
  t.equal(await second.text('PING'), 'PONG');
  const third = connect(t, node.ready.resp);
  t.match(await third.send('PING').catch(String), /max number of clients/);
  await set('maxclients', '100');
  t.equal(await connect(t, node.ready.resp).text('PING'), 'PONG');
});

t.test('users over connections', async (t) => {
  const node = await startStandaloneNode(t);
  const admin = connect(t, node.ready.resp);
  await admin.send('ACL', 'SETUSER', 'ann', 'on', '>pw', '+@all', '~*', '&news');
  const login = async () => {
    const client = connect(t, node.ready.resp);
    await client.send('AUTH', 'ann', 'pw');
    return client;
  };

  t.test('changes reach connections that are logged in', async (t) => {
    const ann = await login();
    t.equal(await ann.text('SET', 'a', '1'), 'OK');
    await admin.send('ACL', 'SETUSER', 'ann', '-set');
    t.match(await ann.send('SET', 'a', '1'), { message: /^NOPERM/ });
    await admin.send('ACL', 'SETUSER', 'ann', '+set');
    t.equal(await ann.text('SET', 'a', '1'), 'OK');
  });

  t.test('a subscriber who may not listen any more is closed', async (t) => {
    const ann = await login();
    await ann.send('SUBSCRIBE', 'news');
    const closed = once(ann.socket, 'close');
    await admin.send('ACL', 'SETUSER', 'ann', 'resetchannels', '&other');
    await closed;
    t.pass('closed');
  });

  t.test('a deleted user is closed, blocked or not', async (t) => {
    const [idle, blocked] = [await login(), await login()];
    const answer = blocked.send('BLPOP', 'nothing', '0').catch(() => 'closed');
    await until('it is blocked', async () =>
      /blocked_clients:1\r/.test((await admin.text('INFO', 'clients'))!),
    );
    const closed = Promise.all([once(idle.socket, 'close'), once(blocked.socket, 'close')]);
    t.equal(await admin.send('ACL', 'DELUSER', 'ann'), 1);
    await closed;
    t.equal(await answer, 'closed');
  });

  t.test('one who deletes himself gets the answer first', async (t) => {
    await admin.send('ACL', 'SETUSER', 'bob', 'on', 'nopass', '+@all');
    const bob = connect(t, node.ready.resp);
    await bob.send('AUTH', 'bob', 'x');
    const closed = once(bob.socket, 'close');
    t.equal(await bob.send('ACL', 'DELUSER', 'bob'), 1);
    await closed;
  });
});

t.test('hot keys', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  t.match(await client.send('RS.HOTKEYS', 'COUNT'), { message: /syntax/ });
  t.match(await client.send('RS.HOTKEYS', 'COUNT', '-1'), { message: /not an integer/ });
  const next = zipf(1000, seededRandom(11));
  for (let i = 0; i < 12; i++)
    await Promise.all(Array.from({ length: 20_000 }, () => client.send('GET', next())));
  const found = (await client.send('RS.HOTKEYS', 'COUNT', '3')) as [Buffer, number][];
  t.equal(found.length, 3);
  t.equal(String(found[0][0]), 'key:0');
  // Key 0 makes up 1/7.49 of the traffic; one command in 64 is looked at: the standard deviation is 1,400. A slow machine forgets some of it.
  t.ok(found[0][1] > 20_000 && found[0][1] < 42_000, `${found[0][1]} of about 32,000`);
  t.strictSame(await client.send('RS.HOTKEYS', 'COUNT', '0'), []);
  const hottest = await (await request(`http://${node.ready.admin}/hotkeys?count=2`)).body.json();
  // Second is key 1 with 250 samples expected, or by chance key 2 (167) or key 3 (125).
  t.match(hottest, [
    { key: 'key:0', commands: Number },
    { key: /^key:[123]$/, commands: Number },
  ]);
  for (const query of ['count=x', 'count=', 'count=-1', 'count=257', 'count=1&count=2', 'limit=3']) {
    const refused = await request(`http://${node.ready.admin}/hotkeys?${query}`);
    t.equal(refused.statusCode, 400, query);
    t.match(await refused.body.json(), { error: { code: 'bad_request', message: /count/ } }, query);
  }
  const metrics = await (await request(`http://${node.ready.admin}/metrics`)).body.text();
  t.match(metrics, /ringside_node_hottest_key_commands [1-9]\d{4}/);
  t.match(metrics, /ringside_node_command_seconds_bucket\{command="get",le="\+Inf"\} 240000\n/);
  t.match(metrics, /ringside_node_memory_bytes\{class="entries"\} \d+\n/);
  t.match(metrics, /ringside_node_evicted_total\{namespace="default"\} 0\n/);
  t.match(metrics, /ringside_node_hit_ratio 0\n/);
});

t.test('docs/operations.md names the metrics that there are', async (t) => {
  const namesIn = (...paths: string[]) => {
    const texts = paths.map((path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
    return [...new Set(texts.join('\n').match(/ringside_node_[a-z_]+/g))].sort();
  };
  t.strictSame(namesIn('docs/operations.md'), namesIn('node/metrics.ts', 'node/metrics-files.ts'));
});

t.test('a MONITOR that does not read is closed, and nobody else notices', async (t) => {
  const node = await startStandaloneNode(t, '--set', 'node.limits.maxOutputBytes=1mb');
  const [host, port] = node.ready.resp.split(':');
  const slow = net.connect(Number(port), host);
  slow.on('error', () => {});
  t.teardown(() => slow.destroy());
  slow.pause();
  slow.write(encodeCommand('MONITOR'));
  const client = connect(t, node.ready.resp);
  await until('it listens', async () => /name= .*cmd=monitor/.test((await client.text('CLIENT', 'LIST'))!));
  const value = 'x'.repeat(10_000);
  await until('it is closed', async () => {
    await Promise.all(Array.from({ length: 100 }, () => client.send('SET', 'a', value)));
    return !(await client.text('CLIENT', 'LIST'))!.includes('cmd=monitor');
  });
  t.equal(await client.text('GET', 'a'), value);
  t.match(await client.text('INFO', 'stats'), /client_output_buffer_limit_disconnections:1\r/);
});

t.test('every setting', async (t) => {
  const node = await startStandaloneNode(t);
  const client = connect(t, node.ready.resp);
  const settingsOf = async (of: RespClient) => {
    const parts = (await of.send('CONFIG', 'GET', '*')) as Buffer[];
    const pairs = parts
      .filter((_, i) => i % 2 === 0)
      .map((name, i) => [String(name), String(parts[2 * i + 1])]);
    return new Map(pairs as [string, string][]);
  };
  const ours = await settingsOf(client);

  t.test('takes the value it shows', async (t) => {
    const refused: string[] = [];
    for (const [name, value] of ours) {
      const answer = await client.send('CONFIG', 'SET', name, value);
      if (answer instanceof Error && !/immutable|protected/.test(answer.message))
        refused.push(`${name}: ${answer.message}`);
    }
    t.strictSame(refused, []);
    t.strictSame(await settingsOf(client), ours, 'and shows the same again');
  });

  t.test(
    'has the name and the default of redis-server',
    { skip: hasRedisServer ? false : NO_REDIS },
    async (t) => {
      const redis = await startRedis();
      t.teardown(() => redis.stop());
      const theirs = await settingsOf(connect(t, redis.address));
      const known = [...theirs.keys()].filter((name) => !name.startsWith('tls-'));
      t.strictSame(
        known.filter((name) => !ours.has(name)),
        [],
        'known to both',
      );
      t.strictSame(
        [...ours.keys()].filter((name) => !theirs.has(name)),
        [],
        'and no others',
      );
      // What either was started with, and what this node does by default that Redis does not.
      const own = [
        'bind',
        'port',
        'dir',
        'dbfilename',
        'maxmemory',
        'maxmemory-policy',
        'tcp-keepalive',
        'repl-backlog-size',
        'repl-diskless-sync-delay',
      ];
      const other = known.filter((name) => !own.includes(name) && ours.get(name) !== theirs.get(name));
      t.strictSame(
        other.map((name) => `${name}: ${ours.get(name)} for ${theirs.get(name)}`),
        [],
      );
    },
  );
});

t.test('what a client may leave unread', async (t) => {
  const { settings, client } = watchAt(new ManualClock());
  const guard = new OutputGuard();
  const limit = (hardBytes: number, softBytes: number, softSeconds: number) => ({
    hardBytes,
    softBytes,
    softSeconds,
  });
  const none = outputLimitOf(client, settings.outputLimits);
  t.equal(guard.closes(none, 1e12, 0), false, 'as much as it likes by default');
  const some = limit(100, 50, 2);
  t.equal(guard.closes(some, 101, 0), true, 'beyond the hard limit at once');
  t.equal(guard.closes(some, 100, 1000), false);
  t.equal(guard.closes(some, 60, 3000), false, 'two seconds beyond the soft one');
  t.equal(guard.closes(some, 60, 3001), true, 'longer');
  t.equal(guard.closes(some, 50, 3002), false, 'below it in between');
  t.equal(guard.closes(some, 60, 4000), false);
  t.strictSame(none, settings.outputLimits.normal);
  client.subscriptions = { channels: new Set(['a']), patterns: new Set(), shardChannels: new Set() };
  t.strictSame(outputLimitOf(client, settings.outputLimits), settings.outputLimits.pubsub);
});
