import type { Random } from '../../lib/base/index.ts';
import { type Command, pick } from '../node/differential/base.ts';
import { topics } from '../node/differential/index.ts';

/** Commands that wait, change the connection, or say nothing about data. */
const EXCLUDED =
  /^(B[LRZ].*|HELLO|AUTH|CLIENT|CONFIG|WAIT|MULTI|EXEC|WATCH|DEBUG|QUIT|RESET|FLUSH.*|P?S?SUBSCRIBE)$/i;

const KEYS = ['a', 'b', 'c', '{tag}x', 'long'.repeat(50)];
const key = (random: Random) => (random.int(3) > 0 ? pick(random, KEYS) : `k${random.int(200)}`);
const database = (random: Random) => pick(random, ['0', '0', '1', '9']);
const tag = (random: Random) => `t${random.int(4)}`;

/** Up to `most` texts, some of them integers. */
const texts = (random: Random, most: number) =>
  Array.from({ length: 1 + random.int(most) }, (_, i) =>
    random.int(3) === 0 ? String(i) : `${i}-${random.hex(8)}`,
  );
const scored = (random: Random, most: number) =>
  texts(random, most).flatMap((text, i) => [String(i % 50), text]);

/** Collections small and big, what happens to keys of any type, and what a cache adds. */
const others: readonly ((random: Random) => Command)[] = [
  (r) => ['SET', key(r), 'x'.repeat(r.int(60_000))],
  (r) => ['SADD', key(r), ...texts(r, 2000)],
  (r) => ['SADD', key(r), ...Array.from({ length: 1 + r.int(700) }, (_, i) => String(i))],
  (r) => ['HSET', key(r), ...texts(r, 1000).flatMap((text) => [text, text])],
  (r) => ['RPUSH', key(r), ...texts(r, 2000)],
  (r) => ['ZADD', key(r), ...scored(r, 1000)],
  (r) => ['SPOP', key(r), String(1 + r.int(500))],
  (r) => ['ZPOPMIN', key(r), String(1 + r.int(300))],
  (r) => ['LTRIM', key(r), '1', String(r.int(1500))],
  (r) => ['DEL', key(r), key(r)],
  (r) => ['UNLINK', key(r)],
  (r) => ['PEXPIRE', key(r), String(1 + r.int(30))],
  (r) => ['EXPIRE', key(r), '5000'],
  (r) => ['PERSIST', key(r)],
  (r) => ['RENAME', key(r), key(r)],
  (r) => ['COPY', key(r), key(r), 'DB', database(r), 'REPLACE'],
  (r) => ['MOVE', key(r), database(r)],
  (r) => ['SMOVE', key(r), key(r), '1'],
  (r) => ['LMOVE', key(r), key(r), 'LEFT', 'RIGHT'],
  (r) => ['SUNIONSTORE', key(r), key(r), key(r)],
  (r) => ['ZUNIONSTORE', key(r), '2', key(r), key(r)],
  (r) => ['SORT', key(r), 'ALPHA', 'STORE', key(r)],
  (r) => ['SELECT', database(r)],
  (r) => ['RS.SET', key(r), 'tagged', 'FLAGS', String(r.int(99)), 'TAGS', '2', tag(r), tag(r)],
  (r) => ['RS.SET', key(r), 'fenced', 'FENCE', 'floor', String(r.int(1000))],
  (r) => ['RS.MARK', key(r), 'FLAGS', '7', 'TAGS', '1', tag(r)],
  (r) => ['RS.PURGE', 'TAG', tag(r)],
  (r) => (r.int(10) > 0 ? ['PING'] : ['RS.PURGE', 'PREFIX', 'k1']),
  (r) => (r.int(4) > 0 ? ['PING'] : ['SWAPDB', database(r), database(r)]),
  (r) => (r.int(10) > 0 ? ['PING'] : ['FLUSHDB', pick(r, ['SYNC', 'ASYNC'])]),
];

/** One random command, mostly a write, of any type of data. */
export function anyCommand(random: Random): Command {
  if (random.int(3) === 0) return pick(random, others)(random);
  const command = topics[pick(random, Object.keys(topics))](random);
  return EXCLUDED.test(String(command[0])) ? ['PING'] : command;
}

/** About `count` of them, a few together in transactions. */
export function anyCommands(random: Random, count: number): Command[] {
  const commands: Command[] = [];
  while (commands.length < count) {
    if (random.int(10) > 0) commands.push(anyCommand(random));
    else commands.push(['MULTI'], anyCommand(random), anyCommand(random), anyCommand(random), ['EXEC']);
  }
  return commands;
}

/** The same without those whose effect on a redis-server that loads them comes later than here. */
export function lastingWrites(random: Random, count: number): Command[] {
  return anyCommands(random, count).filter(([name]) => !/^RS\.PURGE$/i.test(String(name)));
}
