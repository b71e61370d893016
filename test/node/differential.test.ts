import t from 'tap';
import { type Random, seededRandom } from '../../lib/base/index.ts';
import { decodeReply, encodeCommand, ReplyFramer } from '../../lib/codec/resp/index.ts';
import { hasRedisServer, NO_REDIS, startRedis } from '../support/redis-server.ts';
import { RespClient } from '../support/resp-client.ts';
import { startRingside } from '../support/ringside.ts';

/* The same random commands to a node and to a real redis-server: every reply must be the same, byte for byte. */

const seed = Number(process.env.SEED ?? 20261121);
const commands = Number(process.env.DIFFERENTIAL_COMMANDS ?? 30_000);
const BATCH = 50;

type Command = (string | Buffer)[];

/** Sends whole pipelines and gives back the raw replies. */
class RawClient {
  readonly #client: RespClient;
  readonly #framer = new ReplyFramer();
  #replies: Buffer[] = [];
  #wanted = 0;
  #done: (replies: Buffer[]) => void = () => {};

  constructor(address: string) {
    this.#client = new RespClient(address);
    this.#client.socket.removeAllListeners('data');
    this.#client.socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      while (this.#framer.next()) {
        const { buffer, frameStart, frameEnd } = this.#framer;
        this.#replies.push(Buffer.from(buffer.subarray(frameStart, frameEnd)));
      }
      if (this.#replies.length >= this.#wanted) this.#done(this.#replies.splice(0));
    });
  }

  run(batch: readonly Command[]): Promise<Buffer[]> {
    this.#wanted = batch.length;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#client.socket.write(Buffer.concat(batch.map((parts) => encodeCommand(...parts))));
    });
  }

  close(): void {
    this.#client.close();
  }
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)];

const keys: readonly (string | Buffer)[] = [
  'a',
  'b',
  'c',
  '{tag}x',
  '',
  Buffer.from([0, 255, 13, 10]),
  'long'.repeat(50),
];
/** Seconds of a time to live: seldom the same twice, so that two clocks a millisecond apart never order two of them differently. */
const seconds = (random: Random) => 10_000 + random.int(1_000_000);
const far = (random: Random) => String(Date.now() + 1000 * seconds(random));
const farSeconds = (random: Random) => String(Math.floor(Date.now() / 1000) + seconds(random));

function value(random: Random): string | Buffer {
  return pick<() => string | Buffer>(random, [
    () => String(random.int(200) - 100),
    () => (random.next() * 1000 - 500).toFixed(random.int(8)),
    () => '',
    () => Buffer.from(Array.from({ length: random.int(40) }, () => random.int(256))),
    () => 'x'.repeat(random.int(9000)),
    () =>
      pick(random, [
        '9223372036854775807',
        '-9223372036854775808',
        '9007199254740993',
        '007',
        '-0',
        '+1',
        ' 1',
        '1e3',
        'inf',
        'nan',
        '0x10 ',
      ]),
  ])();
}

/** Something that may stand where a number is wanted. */
const number = (random: Random) =>
  pick(random, [
    '0',
    '1',
    '-1',
    '5',
    '100',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '1.5',
    'abc',
    '',
    '01',
    '-0',
    '+3',
  ]);

const anyCase = (random: Random, word: string) => (random.int(4) === 0 ? word.toLowerCase() : word);

function expiryOption(random: Random): Command {
  const word = anyCase(random, pick(random, ['EX', 'PX', 'EXAT', 'PXAT']));
  const good = {
    EX: String(seconds(random)),
    PX: String(1000 * seconds(random)),
    EXAT: farSeconds(random),
    PXAT: far(random),
  }[word.toUpperCase()]!;
  return [word, random.int(4) > 0 ? good : pick(random, ['0', '-1', 'abc', '9223372036854775808', '1'])];
}

const some = (random: Random, from: () => Command, atMost: number): Command =>
  Array.from({ length: random.int(atMost + 1) }, from).flat();

type Generator = (random: Random) => Command;
const key: Generator = (random) => [pick(random, keys)];

// A relative time of a second or two would run out during the test on one side first; EX 1 comes with a past or far one only.
const generators: Readonly<Record<string, Generator>> = {
  SET: (random) => [
    ...key(random),
    value(random),
    ...some(
      random,
      () => pick(random, [['NX'], ['xx'], ['GET'], ['KEEPTTL'], safeExpiry(random), ['nonsense']]),
      3,
    ),
  ],
  GET: key,
  SETNX: (random) => [...key(random), value(random)],
  SETEX: (random) => [
    ...key(random),
    pick(random, [String(seconds(random)), '0', '-5', 'x', '9223372036854775807']),
    value(random),
  ],
  PSETEX: (random) => [
    ...key(random),
    pick(random, [String(1000 * seconds(random)), '0', '-5', 'x']),
    value(random),
  ],
  GETSET: (random) => [...key(random), value(random)],
  GETDEL: key,
  GETEX: (random) => [
    ...key(random),
    ...some(random, () => pick(random, [safeExpiry(random), ['PERSIST'], ['bad']]), 2),
  ],
  MGET: (random) => [...key(random), ...some(random, () => key(random), 4)],
  MSET: (random) => [
    ...key(random),
    ...some(random, () => pick(random, [[value(random)], [value(random), pick(random, keys)]]), 3),
  ],
  MSETNX: (random) => [
    ...key(random),
    value(random),
    ...some(random, () => [pick(random, keys), value(random)], 2),
  ],
  DEL: (random) => [...key(random), ...some(random, () => key(random), 3)],
  UNLINK: key,
  EXISTS: (random) => [...key(random), ...some(random, () => key(random), 3)],
  TOUCH: (random) => [...key(random), ...some(random, () => key(random), 2)],
  TYPE: key,
  STRLEN: key,
  APPEND: (random) => [...key(random), value(random)],
  INCR: key,
  DECR: key,
  INCRBY: (random) => [...key(random), number(random)],
  DECRBY: (random) => [...key(random), number(random)],
  INCRBYFLOAT: (random) => [
    ...key(random),
    pick(random, ['0.1', '-2.25', '1e3', '3.0e-2', '10', 'x', '', 'inf', '1.']),
  ],
  EXPIRE: (random) => [
    ...key(random),
    pick(random, [String(seconds(random)), '0', '-1', 'x', '9223372036854775807']),
    ...condition(random),
  ],
  PEXPIRE: (random) => [
    ...key(random),
    pick(random, [String(1000 * seconds(random)), '-1', 'x']),
    ...condition(random),
  ],
  EXPIREAT: (random) => [
    ...key(random),
    pick(random, [farSeconds(random), '1', '0', '-1', 'x']),
    ...condition(random),
  ],
  PEXPIREAT: (random) => [...key(random), pick(random, [far(random), '1', 'x']), ...condition(random)],
  PERSIST: key,
  TTL: key,
  PTTL: key,
  EXPIRETIME: key,
  PEXPIRETIME: key,
  DBSIZE: () => [],
  FLUSHALL: (random) => (random.int(20) === 0 ? [pick(random, ['ASYNC', 'sync', 'bad'])] : ['bad']),
  FLUSHDB: () => ['wrong', 'wrong'],
  KEYS: (random) => [pick(random, ['*', 'a', '?', '[a-b]', '{tag}*', 'nothing*'])],
  RANDOMKEY: () => ['too many'],
  SCAN: (random) => [
    pick(random, ['0', 'x', '-1', '18446744073709551616']),
    'COUNT',
    pick(random, ['1000', '0', 'x']),
  ],
  PING: (random) => some(random, () => [value(random)], 2),
  ECHO: (random) => [value(random)],
  SELECT: (random) => [pick(random, ['0', 'x', '-1', '99'])],
  AUTH: (random) => some(random, () => ['default'], 3),
  CLIENT: (random) =>
    pick<Command>(random, [
      ['GETNAME'],
      ['SETNAME', 'good'],
      ['SETNAME', 'bad name'],
      ['SETNAME', ''],
      ['NO-EVICT', 'on'],
      ['NO-EVICT', 'x'],
      ['SETINFO', 'lib-name', 'x'],
      ['nonsense'],
      ['KILL', '1.2.3.4:5'],
      ['KILL', 'ID', 'x'],
      ['KILL', 'ID', '999999'],
      ['KILL', 'TYPE', 'x'],
      ['LIST', 'TYPE', 'x'],
      ['LIST', 'ID', 'x'],
      ['LIST', 'bad'],
      ['REPLY', 'x'],
      ['UNPAUSE'],
      [],
      ['ID', 'x'],
    ]),
  CONFIG: (random) =>
    pick<Command>(random, [
      ['GET', 'save'],
      ['GET', 'appendonly'],
      ['GET', 'nothing-like-it'],
      ['GET'],
      ['SET', 'nothing-like-it', '1'],
      ['SET', 'x'],
      ['SET', 'maxmemory', 'many'],
      ['RESETSTAT'],
      ['REWRITE'],
      ['nonsense'],
      ['RESETSTAT', 'x'],
      ['SET', 'maxmemory', '0', 'maxmemory', '0'],
    ]),
  COMMAND: (random) =>
    pick<Command>(random, [
      ['GETKEYS', 'SET', 'a', 'b'],
      ['GETKEYS', 'MSET', 'a', 'b', 'c', 'd'],
      ['GETKEYS', 'PING'],
      ['GETKEYS', 'nope', 'a'],
      ['INFO', 'nope'],
      ['nonsense'],
      ['LIST', 'FILTERBY', 'PATTERN', 'nothing-like-it'],
      ['DOCS', 'nope'],
    ]),
  WAIT: (random) => [pick(random, ['0', '-1', 'x']), pick(random, ['0', '10', '-1', 'x'])],
  ROLE: () => ['x'],
  TIME: () => ['x'],
  HELLO: (random) =>
    pick<Command>(random, [
      ['1'],
      ['x'],
      ['2', 'nonsense'],
      ['2', 'SETNAME', 'a b'],
      ['2', 'AUTH', 'default'],
      ['3', 'AUTH', 'nobody', 'x'],
    ]),
  FUNCTION: (random) => pick<Command>(random, [['FLUSH'], ['FLUSH', 'ASYNC'], ['FLUSH', 'x']]),
  SCRIPT: (random) => pick<Command>(random, [['FLUSH'], ['FLUSH', 'SYNC']]),
  NOTACOMMAND: (random) => some(random, () => [pick(random, ['a', '', 'x'.repeat(random.int(200)), "'"])], 4),
};

function safeExpiry(random: Random): Command {
  const [word, at] = expiryOption(random);
  // `EX 1` and `PX 1` would be races; as a point in time, 1 is long past.
  return at === '1' && !String(word).toUpperCase().endsWith('AT') ? [word, '0'] : [word, at];
}

const condition: Generator = (random) =>
  some(random, () => [pick(random, ['NX', 'XX', 'gt', 'LT', 'bad'])], 2);

function generate(random: Random): Command {
  const name = pick(random, Object.keys(generators));
  const command = [anyCase(random, name), ...generators[name](random)];
  // Now and then an argument too few or too many.
  if (random.int(40) === 0) return command.slice(0, Math.max(1, command.length - 1));
  if (random.int(40) === 0) return [...command, 'surplus'];
  return command;
}

const nameOf = (command: Command) => String(command[0]).toUpperCase();
/** `CLIENT SETNAME` with odd bytes would differ in nothing but how the two escape it in logs. */
const show = (command: Command) =>
  command
    .map((part) =>
      JSON.stringify(
        Buffer.from(part as string)
          .toString('latin1')
          .slice(0, 60),
      ),
    )
    .join(' ');

/** Whether two replies to the command are the same thing said. */
function isSame(command: Command, ours: Buffer, theirs: Buffer): boolean {
  if (ours.equals(theirs)) return true;
  const name = nameOf(command);
  const numbers = [ours, theirs].map((reply) => Number(reply.toString().slice(1)));
  if (name === 'TTL' || name === 'PTTL' || name === 'EXPIRETIME' || name === 'PEXPIRETIME') {
    // The two clocks were read at different moments.
    return (
      numbers.every((n) => n > 0) && Math.abs(numbers[0] - numbers[1]) < (name.startsWith('P') ? 2000 : 3)
    );
  }
  if (ours[0] !== theirs[0]) return false;
  if (name === 'KEYS' || (name === 'SCAN' && String(command[1]) === '0')) {
    const [a, b] = [ours, theirs].map(keysOf);
    return a.equals(b);
  }
  return isUnpredictable(name, command);
}

/** The keys in a reply to KEYS or to a whole SCAN, in order. */
function keysOf(reply: Buffer): Buffer {
  const value = decodeReply(reply, 0, reply.length) as Buffer[] | [Buffer, Buffer[]];
  const keys = (Array.isArray(value[1]) ? value[1] : value) as Buffer[];
  return Buffer.concat(keys.sort(Buffer.compare).flatMap((key) => [key, Buffer.from(' ')]));
}

/** Replies with the number of a connection, a clock, a random choice, or what depends on the size of a hash table. */
function isUnpredictable(name: string, command: Command): boolean {
  if (name === 'COMMAND') return command.length <= 2;
  if (name === 'CLIENT') return /^(id|list)$/i.test(String(command[1]));
  return ['RANDOMKEY', 'HELLO', 'TIME', 'SCAN'].includes(name);
}

for (const protocol of ['2', '3']) {
  t.test(`random commands over RESP${protocol}`, { skip: !hasRedisServer && NO_REDIS }, async (t) => {
    const redis = await startRedis();
    const node = await startRingside(['node', '--standalone', '--port', 'auto', '--admin-port', 'off']);
    t.teardown(() => Promise.all([redis.stop(), node.stop()]));
    const theirs = new RawClient(redis.address);
    const ours = new RawClient(node.ready.resp);
    t.teardown(() => {
      theirs.close();
      ours.close();
    });
    await Promise.all([theirs, ours].map((client) => client.run([['HELLO', protocol]])));
    const random = seededRandom(seed + Number(protocol));
    const seen = new Map<string, number>();
    let differences = 0;
    for (let done = 0; done < commands && differences < 20; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => generate(random)).filter(
        (command) =>
          !(nameOf(command) === 'HELLO' && command.length === 2 && /^[23]$/.test(String(command[1]))),
      );
      const [a, b] = await Promise.all([ours.run(batch), theirs.run(batch)]);
      for (const [i, command] of batch.entries()) {
        seen.set(nameOf(command), (seen.get(nameOf(command)) ?? 0) + 1);
        if (isSame(command, a[i], b[i])) continue;
        differences++;
        t.fail(`${show(command)}\n  ours:   ${show([a[i]])}\n  theirs: ${show([b[i]])}`);
      }
    }
    t.equal(differences, 0, `seed ${seed}`);
    t.ok(
      seen.size >= Object.keys(generators).length,
      `${[...seen.values()].reduce((x, y) => x + y)} commands`,
    );
  });
}
