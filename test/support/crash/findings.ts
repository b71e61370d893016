import type { RespValue } from '../../../lib/codec/resp/index.ts';
import { RespClient } from '../resp-client.ts';
import { Model } from './model.ts';
import { JOURNAL, OTHER_DATABASE, type Write, type Writer } from './writer.ts';

const LINES_PER_READ = 5000;
const KEYS_PER_READ = 200;
const MOST_SHOWN = 5;

/** What the server is held to beside that all it has is a prefix of what was written. */
export interface Promised {
  /** When it was killed, milliseconds of `performance.now()`. */
  readonly killedMs: number;
  /** What was acknowledged so long before may not be gone; 0 when nothing may, Infinity when all may. */
  readonly lostWithinMs: number;
  /** Keys that were there from the beginning, and how many were written at once. */
  readonly bulk: number;
  readonly bulkStep: number;
}

/** What was found in a server that was killed and started again. */
export interface Findings {
  /** Everything that must not be; empty when all is well. */
  readonly wrong: readonly string[];
  /** Lines of the journal. */
  readonly length: number;
  readonly lastLine: string | undefined;
  /** Acknowledged writes that are gone, and how long before the kill the first of them was. */
  readonly lost: number;
  readonly lostMs: number;
  /** Whether all of the bulk is there, so that a load can go on. */
  readonly isComplete: boolean;
}

/**
 * Compares what a server has with what was written, and takes from `writers` what is gone, so that they can go on. What it has must be a
 * prefix of one order of all writes: in that of the journal each connection's lines are in its own order and without gaps, every line
 * that was acknowledged is where the reply has said, and the keys of each connection hold what they held after its last line there; only
 * of a write outside a transaction the data may be there without its line.
 */
export async function findOut(
  address: string,
  writers: readonly Writer[],
  promised: Promised,
): Promise<Findings> {
  const client = new RespClient(address);
  try {
    const check = new Check(writers, promised);
    await check.journal(client);
    let keys = [0, 0];
    for (const writer of writers) keys[writer.database] += await check.keysOf(client, writer);
    keys = [keys[0] + Math.min(1, check.lines.length), keys[OTHER_DATABASE]];
    await check.bulk(client, keys);
    return check.findings();
  } finally {
    client.close();
  }
}

class Check {
  readonly #writers: readonly Writer[];
  readonly #promised: Promised;
  readonly #wrong: string[] = [];
  readonly lines: string[] = [];
  /** By writer: how many of its writes are in the journal. */
  readonly #counts: number[];
  #lost = 0;
  #lostMs = 0;
  #isComplete = true;

  constructor(writers: readonly Writer[], promised: Promised) {
    this.#writers = writers;
    this.#promised = promised;
    this.#counts = writers.map(() => 0);
  }

  findings(): Findings {
    return {
      wrong: this.#wrong,
      length: this.lines.length,
      lastLine: this.lines.at(-1),
      lost: this.#lost,
      lostMs: this.#lostMs,
      isComplete: this.#isComplete,
    };
  }

  #fail(what: string): void {
    if (this.#wrong.length < MOST_SHOWN) this.#wrong.push(what);
  }

  async journal(client: RespClient): Promise<void> {
    for (let part: string[]; ; this.lines.push(...part)) {
      const from = this.lines.length;
      part = ((await client.send('LRANGE', JOURNAL, from, from + LINES_PER_READ - 1)) as RespValue[]).map(
        String,
      );
      if (part.length === 0) break;
    }
    for (const [i, line] of this.lines.entries()) {
      const [id, number] = line.split(':').map(Number);
      const write = this.#writers[id]?.writes[number];
      if (!write) this.#fail(`line ${i + 1} of the journal is ${line}, which nobody has sent`);
      else if (number !== this.#counts[id])
        this.#fail(`line ${i + 1} is ${line} and not ${id}:${this.#counts[id]}`);
      else if ((write.position ?? i + 1) !== i + 1)
        this.#fail(`line ${i + 1} is ${line}, acknowledged as ${write.position}`);
      else {
        write.position = i + 1;
        this.#counts[id]++;
      }
    }
  }

  #isLost(what: string, ackedMs: number | undefined): void {
    if (ackedMs === undefined) return;
    const agoMs = this.#promised.killedMs - ackedMs;
    this.#lost++;
    this.#lostMs = Math.max(this.#lostMs, agoMs);
    const { lostWithinMs } = this.#promised;
    if (lostWithinMs === 0 || agoMs > lostWithinMs)
      this.#fail(`${what}, acknowledged ${agoMs.toFixed(0)} ms before, is lost`);
  }

  /** Compares the keys of a writer and forgets its lost writes; how many keys it has. */
  async keysOf(client: RespClient, writer: Writer): Promise<number> {
    const count = this.#counts[writer.id];
    const { writes } = writer;
    const found = await textsOf(client, writer);
    const model = new Model();
    for (const { data } of writes.slice(0, count)) model.apply(data);
    const before = model.texts();
    const next: Write | undefined = writes[count];
    // A write that changes nothing counts as there.
    if (next && !next.isAtomic) {
      model.apply(next.data);
      next.isHalf = isSame(model.texts(), found);
    }
    const isHalf = next?.isHalf ?? false;
    if (!isHalf && !isSame(before, found))
      this.#fail(`writer ${writer.id} after ${count} writes: ${difference(before, found)}`);
    for (const [i, write] of writes.slice(count).entries()) {
      const number = count + i;
      const name = `${writer.id}:${number} ${write.data.slice(0, 2).join(' ')}`;
      if (i > 0 || !isHalf) this.#isLost(name, write.dataAckedMs);
      else this.#isLost(`the line of ${name}`, write.ackedMs);
    }
    writes.length = count + (isHalf ? 1 : 0);
    for (const write of writes) settle(write);
    return found.size;
  }

  /** The keys that were there first, and that there are no others. */
  async bulk(client: RespClient, keys: readonly number[]): Promise<void> {
    const { bulk, bulkStep } = this.#promised;
    const size = async (database: number) => {
      await client.send('SELECT', database);
      return Number(await client.send('DBSIZE'));
    };
    const other = await size(OTHER_DATABASE);
    if (other !== keys[OTHER_DATABASE])
      this.#fail(`${other} keys and not ${keys[OTHER_DATABASE]} in database 1`);
    const there = (await size(0)) - keys[0];
    this.#isComplete = there === bulk;
    const mayBePart =
      this.#promised.lostWithinMs > 0 && this.lines.length === 0 && there >= 0 && there % bulkStep === 0;
    if (!this.#isComplete && !mayBePart) this.#fail(`${there} keys of the bulk and not ${bulk}`);
  }
}

/** It is in the files now: from now on it may not be lost any more. */
function settle(write: Write): void {
  write.dataAckedMs = Number.NEGATIVE_INFINITY;
  if (write.isHalf) {
    write.ackedMs = undefined;
    write.position = undefined;
  } else write.ackedMs = Number.NEGATIVE_INFINITY;
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, text]) => b.get(key) === text);
}

function difference(wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string {
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((key) => wanted.get(key) !== found.get(key))
    .slice(0, MOST_SHOWN)
    .map((key) => `${key}: wanted ${wanted.get(key)?.slice(0, 60)}, found ${found.get(key)?.slice(0, 60)}`)
    .join('; ');
}

/** How to read a value, by its type. */
const READS: Readonly<Record<string, readonly string[]>> = {
  string: ['GET'],
  list: ['LRANGE', '0', '-1'],
  set: ['SMEMBERS'],
  hash: ['HGETALL'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
};

/** What the server has of a writer, as `Model.texts`. */
async function textsOf(client: RespClient, { database, prefix }: Writer): Promise<Map<string, string>> {
  await client.send('SELECT', database);
  const keys = ((await client.send('KEYS', `${prefix}*`)) as RespValue[]).map(String);
  const texts = new Map<string, string>();
  for (let i = 0; i < keys.length; i += KEYS_PER_READ) {
    const some = keys.slice(i, i + KEYS_PER_READ);
    const found = await Promise.all(some.map((key) => textOfKey(client, key)));
    for (const [j, text] of found.entries()) texts.set(some[j], text);
  }
  await client.send('SELECT', 0);
  return texts;
}

async function textOfKey(client: RespClient, key: string): Promise<string> {
  const [type, expiry] = await Promise.all([client.text('TYPE', key), client.text('PEXPIRETIME', key)]);
  const [name, ...rest] = READS[type!];
  const reply = await client.send(name, key, ...rest);
  const parts = Array.isArray(reply) ? reply.map(String) : [String(reply)];
  const isPairs = type === 'hash' || type === 'zset';
  const texts = isPairs
    ? parts.flatMap((part, i) => (i % 2 === 0 ? [`${part}=${parts[i + 1]}`] : []))
    : parts;
  return `${(isPairs || type === 'set' ? texts.sort() : texts).join(' ')} @${expiry}`;
}
