import t from 'tap';
import { createMetrics, durationBuckets, Histogram } from '../../lib/metrics/index.ts';
import { fc } from '../support/fast-check.ts';

/** The lines of a scrape about Ringside's own metrics. */
async function own(text: Promise<string>): Promise<string[]> {
  return (await text).split('\n').filter((line) => line.includes('ringside_'));
}

t.test('counters, gauges and histograms come out as Prometheus text', async (t) => {
  const metrics = createMetrics();
  metrics.counter({ name: 'ringside_test_commands_total', help: 'Commands.' }).inc();
  const byShard = metrics.counter({
    name: 'ringside_test_errors_total',
    help: 'Errors.',
    labels: ['shard', 'kind'],
  });
  byShard.labels('s1', 'time"out').inc(3);
  byShard.labels('s1', 'time"out').inc();
  byShard.labels('s2', 'gone').inc();
  byShard.remove('s2', 'gone');
  const gauge = metrics.gauge({ name: 'ringside_test_connections', help: 'Now.' });
  gauge.inc(5);
  gauge.dec();
  const histogram = metrics.histogram({ name: 'ringside_test_seconds', help: 'Time.', buckets: [0.5, 1] });
  for (const seconds of [0.1, 0.5, 0.7, 3]) histogram.observe(seconds);
  t.same(await own(metrics.text()), [
    '# HELP ringside_test_commands_total Commands.',
    '# TYPE ringside_test_commands_total counter',
    'ringside_test_commands_total 1',
    '# HELP ringside_test_errors_total Errors.',
    '# TYPE ringside_test_errors_total counter',
    'ringside_test_errors_total{shard="s1",kind="time\\"out"} 4',
    '# HELP ringside_test_connections Now.',
    '# TYPE ringside_test_connections gauge',
    'ringside_test_connections 4',
    '# HELP ringside_test_seconds Time.',
    '# TYPE ringside_test_seconds histogram',
    'ringside_test_seconds_bucket{le="0.5"} 2',
    'ringside_test_seconds_bucket{le="1"} 3',
    'ringside_test_seconds_bucket{le="+Inf"} 4',
    'ringside_test_seconds_sum 4.3',
    'ringside_test_seconds_count 4',
  ]);
  gauge.set(-2);
  t.ok((await own(metrics.text())).includes('ringside_test_connections -2'), 'each scrape reads anew');
});

t.test('figures kept elsewhere are read at the scrape', async (t) => {
  const metrics = createMetrics();
  const state = { reads: 1, lag: new Map([['n1', 5]]) };
  metrics.observedCounter('ringside_test_reads_total', 'Reads.', () => state.reads);
  metrics.observedGauge('ringside_test_lag_bytes', 'Lag.', () =>
    [...state.lag].map(([node, value]) => ({ labels: { node }, value })),
  );
  const values = async () => (await own(metrics.text())).filter((line) => !line.startsWith('#'));
  t.same(await values(), ['ringside_test_reads_total 1', 'ringside_test_lag_bytes{node="n1"} 5']);
  state.reads = 9;
  state.lag = new Map([['n2', 0]]);
  t.same(await values(), ['ringside_test_reads_total 9', 'ringside_test_lag_bytes{node="n2"} 0']);
});

t.test('the figures of worker threads are added up', async (t) => {
  const workers = [1, 2, 3].map((n) => {
    const metrics = createMetrics();
    metrics
      .counter({ name: 'ringside_test_total', help: 'x', labels: ['a'] })
      .labels(n === 3 ? 'other' : 'same')
      .inc(n);
    metrics.histogram({ name: 'ringside_test_seconds', help: 'x', buckets: [2] }).observe(n);
    return metrics;
  });
  const posted = workers.slice(1).flatMap((metrics) => structuredClone(metrics.snapshot()));
  const lines = await own(workers[0].text(posted));
  t.same(
    lines.filter((line) => !line.startsWith('#')),
    [
      'ringside_test_total{a="same"} 3',
      'ringside_test_total{a="other"} 3',
      'ringside_test_seconds_bucket{le="2"} 2',
      'ringside_test_seconds_bucket{le="+Inf"} 3',
      'ringside_test_seconds_sum 6',
      'ringside_test_seconds_count 3',
    ],
  );
  t.equal(lines.filter((line) => line.startsWith('# TYPE')).length, 2);
});

t.test("a scrape holds Node's own figures, and two sets of metrics do not mix", async (t) => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.counter({ name: 'ringside_test_total', help: 'x' });
  other.counter({ name: 'ringside_test_total', help: 'x' });
  const text = await one.text();
  t.match(text, /^process_resident_memory_bytes \d+$/m);
  t.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
  t.equal(
    (await one.text()).match(/# TYPE process_resident_memory_bytes/g)?.length,
    1,
    'also at the second scrape',
  );
  t.equal((await own(other.text())).length, 3);
  t.match(one.contentType, /^text\/plain; version=0\.0\.4/);
});

t.test('bad and duplicate names are refused', async (t) => {
  const metrics = createMetrics();
  metrics.gauge({ name: 'ringside_test_a', help: 'x' });
  t.throws(() => metrics.observedGauge('ringside_test_a', 'x', () => 1), /there already/);
  t.throws(() => metrics.counter({ name: 'ringside_test_b', help: 'x' }), /_total is for counters/);
  t.throws(() => metrics.gauge({ name: 'ringside_test_b_total', help: 'x' }), /_total is for counters/);
  for (const name of ['test_total', 'ringside_Test_total', 'ringside__total', 'ringside_a-b_total']) {
    t.throws(() => metrics.counter({ name, help: 'x' }), /want ringside_<role>_<what>/, name);
  }
  const family = metrics.counter({ name: 'ringside_test_c_total', help: 'x', labels: ['a', 'b'] });
  t.throws(() => family.labels('1'), /values of the labels a, b/);
});

t.test('each observation is counted in the first bucket that holds it', async (t) => {
  t.ok(durationBuckets.every((bound, i) => i === 0 || bound > durationBuckets[i - 1]));
  const value = fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(...durationBuckets));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), (values) => {
      const histogram = new Histogram(durationBuckets);
      for (const observed of values) histogram.observe(observed);
      const expected = [...durationBuckets, Number.POSITIVE_INFINITY].map(
        (bound, i) => values.filter((v) => v <= bound && (i === 0 || v > durationBuckets[i - 1])).length,
      );
      return JSON.stringify(histogram.counts) === JSON.stringify(expected);
    }),
  );
  t.pass('as a search from the first bucket on');
});
