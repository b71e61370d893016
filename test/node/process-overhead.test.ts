import t from 'tap';
import { dataBudget, ProcessOverhead } from '../../node/process-overhead.ts';

/* How much of the budget the process takes from the data. */

const MIB = 2 ** 20;

t.test('the overhead is what the process has grown by and the data does not account for', async (t) => {
  const overhead = new ProcessOverhead(80 * MIB);
  overhead.sample(180 * MIB, 90 * MIB);
  t.equal(overhead.bytes, 8 * MIB, 'it rises in steps, so that little is evicted at once');
  for (let i = 1; i < 12; i++) overhead.sample(180 * MIB, 90 * MIB);
  t.equal(overhead.bytes, 10 * MIB);
  overhead.sample(170 * MIB, 90 * MIB);
  t.ok(overhead.bytes > 9 * MIB && overhead.bytes < 10 * MIB, 'less is not trusted at once');
  for (let i = 0; i < 1000; i++) overhead.sample(60 * MIB, 0);
  t.ok(overhead.bytes >= 0 && overhead.bytes < MIB, 'a process that has become smaller has none');
});

t.test(
  'a small budget is all for data; of a large one the process takes what it needs, within bounds',
  async (t) => {
    t.equal(dataBudget(0, 50 * MIB), 0, 'no limit stays none');
    t.equal(dataBudget(4 * MIB, 50 * MIB), 4 * MIB);
    t.equal(dataBudget(128 * MIB, 50 * MIB), 128 * MIB);
    t.equal(dataBudget(1024 * MIB, 50 * MIB), 960 * MIB, 'and a little stays free');
    t.equal(dataBudget(1024 * MIB, 0), 1024 * MIB, 'nobody measures');
    t.equal(dataBudget(1024 * MIB, 5000 * MIB), 576 * MIB);
    for (let maxBytes = 0; maxBytes < 1024 * MIB; maxBytes += MIB)
      if (dataBudget(maxBytes + MIB, 64 * MIB) < dataBudget(maxBytes, 64 * MIB)) t.fail(`${maxBytes} bytes`);
  },
);
