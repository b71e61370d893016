import { hash as digestOf } from 'node:crypto';
import { decodeReply } from '../../lib/codec/resp/index.ts';
import { RawClient } from './raw-client.ts';

/*
 * A data set of as many keys as one likes, of every type and encoding, a third of which expire some day. Key `i` is the same wherever and
 * whenever it is written, so that servers that were filled in the same way hold the same.
 */

const DATABASES = 4;
const BATCH = 500;
const DIGEST_BYTES = 20;
/** Of so many keys one of each kind is large. */
const LARGE_EVERY = 2000;
const FAR = Date.UTC(2099, 0);

type Words = (string | Buffer)[];

interface Kind {
  readonly make: (key: string, size: number, i: number) => Words;
  readonly read: (key: string) => string[];
  /** How many of a reply's parts belong together, where their order means nothing. */
  readonly unordered?: number;
}

const many = (size: number, make: (j: number) => Words) =>
  Array.from({ length: size }, (_, j) => make(j)).flat();
const get = (key: string) => ['GET', key];
const members = (key: string) => ['SMEMBERS', key];

const kinds: readonly Kind[] = [
  { make: (key, _, i) => ['SET', key, String(i * 7919 - 1_000_000)], read: get },
  { make: (key, size, i) => ['SET', key, `text ${i} `.repeat(size)], read: get },
  {
    make: (key, size, i) => [
      'SET',
      key,
      Buffer.concat(many(size, (j) => [digestOf('sha1', `${i} ${j}`, 'buffer')]) as Buffer[]),
    ],
    read: get,
  },
  {
    make: (key, size, i) => ['RPUSH', key, ...many(size, (j) => [j % 3 ? `element ${j}` : String(i - j)])],
    read: (key) => ['LRANGE', key, '0', '-1'],
  },
  {
    make: (key, size, i) => ['SADD', key, ...many(size, (j) => [`member ${i + j}`])],
    read: members,
    unordered: 1,
  },
  {
    make: (key, size, i) => ['SADD', key, ...many(size, (j) => [String(j ** 2 - i)])],
    read: members,
    unordered: 1,
  },
  {
    make: (key, size, i) => ['HSET', key, ...many(size, (j) => [`field ${j}`, String(i * (j + 1))])],
    read: (key) => ['HGETALL', key],
    unordered: 2,
  },
  {
    make: (key, size, i) => ['ZADD', key, ...many(size, (j) => [String((j - i) / 7), `member ${j}`])],
    read: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  },
];

const kindOf = (i: number) => kinds[i % kinds.length];
const nameOf = (i: number) => `key:${i}`;

function sizeOf(i: number): number {
  if (i < kinds.length) return 20_000;
  return i % LARGE_EVERY < kinds.length ? 600 : 1 + (i % 13);
}

/** Calls `use` with each batch: a SELECT, and the keys that belong there. */
async function inBatches(
  from: number,
  to: number,
  use: (select: Words, keys: readonly number[]) => Promise<void>,
): Promise<void> {
  for (let first = from; first < to; first += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, to - first) }, (_, j) => first + j);
    await use(['SELECT', String((first / BATCH) % DATABASES)], keys);
  }
}

/** Writes the keys `from` <= i < `to`; `from` is a multiple of 500. Rejects when one is refused. */
export async function writeMany(address: string, from: number, to: number): Promise<void> {
  const raw = new RawClient(address);
  try {
    await inBatches(from, to, async (select, keys) => {
      const made = keys.map((i) => kindOf(i).make(nameOf(i), sizeOf(i), i));
      const expiring = keys.filter((i) => i % 3 === 0);
      const expiries = expiring.map((i) => ['PEXPIREAT', nameOf(i), String(FAR + i)]);
      const replies = await raw.run([select, ...made, ...expiries]);
      const refused = replies.find((reply) => reply[0] === 0x2d);
      if (refused) throw new Error(String(refused));
    });
  } finally {
    raw.close();
  }
}

/** The bytes of a reply to a kind's `read`, the same in whichever order its parts come. */
function canonical({ unordered }: Kind, reply: Buffer): Buffer {
  if (unordered === undefined) return reply;
  const found = decodeReply(reply, 0, reply.length) as Buffer[];
  const parts: string[] = [];
  for (let i = 0; i < found.length; i += unordered) {
    const together = found.slice(i, i + unordered);
    parts.push(together.map((part) => `${part.length}:${part.latin1Slice()}`).join(''));
  }
  return Buffer.from(parts.sort().join(''), 'latin1');
}

/** Of each of the first `count` keys 20 bytes, a digest of its type, of when it expires, and of all of its value. */
export async function digestsOf(address: string, count: number): Promise<Buffer> {
  const raw = new RawClient(address);
  const digests = Buffer.alloc(count * DIGEST_BYTES);
  try {
    await inBatches(0, count, async (select, keys) => {
      const reads = keys.flatMap((i) => [
        kindOf(i).read(nameOf(i)),
        ['TYPE', nameOf(i)],
        ['PEXPIRETIME', nameOf(i)],
      ]);
      const [, ...replies] = await raw.run([select, ...reads]);
      for (const [j, i] of keys.entries()) {
        const [value, type, expiry] = replies.slice(j * 3, j * 3 + 3);
        const facts = Buffer.concat([type, expiry, canonical(kindOf(i), value)]);
        digests.write(digestOf('sha1', facts, 'hex'), i * DIGEST_BYTES, 'hex');
      }
    });
  } finally {
    raw.close();
  }
  return digests;
}

const digestAt = (digests: Buffer, i: number) =>
  digests.latin1Slice(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);

/** How many of the digests are different from one another. */
export const differentAmong = (digests: Buffer) =>
  new Set(Array.from({ length: digests.length / DIGEST_BYTES }, (_, i) => digestAt(digests, i))).size;

/** The keys whose digests are not the same in both, as one calls them. */
export function differentKeys(digests: Buffer, wanted: Buffer): string[] {
  const different: string[] = [];
  for (let i = 0; i < wanted.length / DIGEST_BYTES; i++) {
    if (digestAt(digests, i) === digestAt(wanted, i)) continue;
    different.push(`${nameOf(i)}, ${kindOf(i).make('', 1, i)[0]} of ${sizeOf(i)}`);
  }
  return different;
}

/** How many keys there are in all databases of the data set. */
export async function countAll(address: string): Promise<number> {
  const raw = new RawClient(address);
  const asks = Array.from({ length: DATABASES }, (_, database) => [['SELECT', String(database)], ['DBSIZE']]);
  const replies = await raw.run(asks.flat());
  raw.close();
  return replies.reduce((sum, reply) => sum + (reply[0] === 0x3a ? Number(reply.subarray(1)) : 0), 0);
}
