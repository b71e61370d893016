import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { Output } from '../../proxy/core/output.ts';
import { AnswerWriter } from '../../proxy/memcached/answer-writer.ts';
import { until } from '../support/until.ts';

/* Answers to memcached clients are put together in memory that all of them share. */

/** Both ends of a connection. The far end does not read before it is told to. */
async function connection(t: Test) {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [net.Socket];
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  let text = '';
  far.on('data', (chunk: Buffer) => {
    text += chunk.latin1Slice();
  });
  far.pause();
  return { near, far, text: () => text };
}

for (const bytes of [100, 3000, 50_000]) {
  t.test(`what waits for a slow client stays as it is: answers of ${bytes} bytes`, async (t) => {
    const out = new AnswerWriter(new Output());
    const slow = await connection(t);
    const quick = await connection(t);
    quick.far.resume();
    let filled = 0;
    while (slow.near.writableLength === 0) {
      slow.near.write(Buffer.alloc(100_000, '-'));
      filled += 100_000;
      await new Promise((done) => setImmediate(done));
    }
    const answerTo = (name: string, i: number) => `${name} ${i} ${name[0].repeat(bytes)}\r\n`;
    let [toSlow, toQuick] = ['', ''];
    for (let i = 0; i < 20; i++) {
      const forSlow = answerTo('slow', i);
      out.text(forSlow);
      t.equal(out.size, forSlow.length);
      t.notOk(out.writeTo(slow.near));
      toSlow += forSlow;
      t.equal(out.size, 0);
      for (let k = 0; k < 3; k++) {
        const forQuick = answerTo('quick', 3 * i + k);
        out.text(forQuick);
        out.writeTo(quick.near);
        toQuick += forQuick;
      }
    }
    slow.far.resume();
    await until('all is there', () => slow.text().length === filled + toSlow.length);
    await until('and the others', () => quick.text().length === toQuick.length);
    t.ok(slow.text().endsWith(toSlow), 'the slow one has its own');
    t.ok(quick.text() === toQuick, 'the quick one, too');
  });
}
