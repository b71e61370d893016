import t from 'tap';
import {
  decodeReply,
  encodeCommand,
  ReplyFramer,
  RespPush,
  type RespValue,
} from '../../lib/codec/resp/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { startStandaloneNode } from '../support/ringside.ts';
import { until } from '../support/until.ts';

/* Replies too long for one turn of the event loop: they leave in parts, as their client reads them, and nobody can tell from the bytes. */

const MEMBERS = ['a', 'b', 'c'].map((letter) => letter.repeat(1000));
const MANY = 40_000;
/** A small part of such a reply. */
const HELD_BYTES = 4 << 20;

/** What CLIENT LIST says of a client's unread output. */
async function unreadOf(other: RespClient, id: number): Promise<number> {
  const list = (await other.text('CLIENT', 'LIST', 'ID', String(id)))!;
  return Number(/ omem=(\d+)/.exec(list)![1]);
}

t.test('a reply waits for its reader', async (t) => {
  const node = await startStandaloneNode(t);
  const [reader, other] = [new RespClient(node.ready.resp), new RespClient(node.ready.resp)];
  t.teardown(() => [reader, other].map((client) => client.close()));
  await other.send('SADD', 's', ...MEMBERS);
  const id = Number(await reader.send('CLIENT', 'ID'));

  for (const change of [
    ['SADD', 's', 'new'],
    ['DEL', 's'],
    ['SET', 's', 'text'],
  ]) {
    await t.test(`${change[0]} in the middle of it`, async (t) => {
      await other.send('DEL', 's');
      await other.send('SADD', 's', ...MEMBERS);
      reader.socket.pause();
      const long = reader.send('SRANDMEMBER', 's', -MANY);
      const behind = reader.send('TYPE', 's');
      await until('its output is full', async () => (await unreadOf(other, id)) >= 1 << 20);
      t.equal(await other.text('PING'), 'PONG', 'others are served');
      await other.send(...change);
      t.ok((await unreadOf(other, id)) < HELD_BYTES, 'what nobody reads is not written');
      reader.socket.resume();
      const chosen = (await long) as Buffer[];
      t.equal(chosen.length, MANY);
      const strange = new Set(chosen.map(String).filter((member) => !MEMBERS.includes(member)));
      t.equal(strange.size, 0, 'all were members when the command came');
      t.equal(
        await behind,
        { SADD: 'set', DEL: 'none', SET: 'string' }[change[0]],
        'what came behind ran behind',
      );
    });
  }
});

t.test('every kind, whole and in pairs', async (t) => {
  const node = await startStandaloneNode(t);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  for (const size of [3, 5000]) {
    const names = Array.from({ length: size }, (_, i) => `m${i}`);
    await client.send('FLUSHALL');
    await client.send('SADD', 's', ...names);
    await client.send('HSET', 'h', ...names.flatMap((name, i) => [name, String(i)]));
    await client.send('ZADD', 'z', ...names.flatMap((name, i) => [String(i), name]));
    const isPair = (name: RespValue, i: RespValue) => String(name) === `m${Number(String(i))}`;
    for (const protocol of [2, 3]) {
      await client.send('HELLO', protocol);
      const members = (await client.send('SRANDMEMBER', 's', -40_000)) as Buffer[];
      t.equal(members.length, 40_000);
      t.ok(members.every((member) => names.includes(String(member))));
      for (const command of ['HRANDFIELD h -40000 WITHVALUES', 'ZRANDMEMBER z -40000 WITHSCORES']) {
        const reply = (await client.send(...command.split(' '))) as RespValue[];
        const pairs = protocol === 3 ? (reply as RespValue[][]) : [];
        for (let i = 0; protocol === 2 && i < reply.length; i += 2) pairs.push([reply[i], reply[i + 1]]);
        t.equal(pairs.length, 40_000, `${command}, RESP${protocol}, ${size} members`);
        t.ok(pairs.every(([name, i]) => isPair(name, i)));
      }
    }
    await client.send('HELLO', 2);
    await client.send('MULTI');
    await client.send('SRANDMEMBER', 's', -40_000);
    await client.send('PING');
    const [inside, pong] = (await client.send('EXEC')) as [Buffer[], string];
    t.equal(inside.length, 40_000, 'within EXEC');
    t.equal(pong, 'PONG');
  }
  client.socket.write(encodeCommand('CLIENT', 'REPLY', 'OFF'));
  client.socket.write(encodeCommand('SRANDMEMBER', 's', '-40000'));
  t.equal(await client.text('CLIENT', 'REPLY', 'ON'), 'OK', 'nothing of it when no reply is wanted');
  t.equal(await client.text('PING'), 'PONG');
});

t.test('messages do not get in the middle', async (t) => {
  const node = await startStandaloneNode(t);
  const [reader, other] = [new RespClient(node.ready.resp), new RespClient(node.ready.resp)];
  t.teardown(() => [reader, other].map((client) => client.close()));
  await other.send('SADD', 's', ...MEMBERS);
  await reader.send('HELLO', 3);
  const id = Number(await reader.send('CLIENT', 'ID'));
  await reader.send('SUBSCRIBE', 'news');
  const frames: RespValue[] = [];
  const framer = new ReplyFramer();
  const ended = new Promise<void>((resolve) => {
    reader.socket.removeAllListeners('data');
    reader.socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      while (framer.next()) frames.push(decodeReply(framer.buffer, framer.frameStart, framer.frameEnd));
      if (frames.length === 4) resolve();
    });
  });
  reader.socket.pause();
  reader.socket.write(
    Buffer.concat([encodeCommand('SRANDMEMBER', 's', String(-MANY)), encodeCommand('PING')]),
  );
  await until('its output is full', async () => (await unreadOf(other, id)) >= 1 << 20);
  for (const text of ['one', 'two']) t.equal(await other.send('PUBLISH', 'news', text), 1);
  reader.socket.resume();
  await ended;
  t.equal((frames[0] as Buffer[]).length, MANY);
  t.ok(frames[1] instanceof RespPush && frames[2] instanceof RespPush, 'messages behind the reply');
  t.equal(String(frames[3]), 'PONG');
});
