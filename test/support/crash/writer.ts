import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Random } from '../../../lib/base/index.ts';
import { RespError, type RespValue } from '../../../lib/codec/resp/index.ts';
import { RespClient } from '../resp-client.ts';
import { anyWrite, type Words } from './model.ts';

/** The list that every write puts a line into, in database 0: it tells in which order the server has taken them. */
export const JOURNAL = 'journal';
/** Where connections with an odd number write. */
export const OTHER_DATABASE = 1;
const MOST_UNDER_WAY = 16;

/** One write of one connection, and what has been heard of it. */
export interface Write {
  readonly data: Words;
  /** Together with its line in the journal, by MULTI and EXEC; else the line comes behind. */
  readonly isAtomic: boolean;
  /** A crash has left the data and not its line, which is still to be sent. */
  isHalf: boolean;
  /** When the data itself was acknowledged, and when all was: milliseconds of `performance.now()`. */
  dataAckedMs?: number;
  ackedMs?: number;
  /** Where its line is in the journal: from 1. */
  position?: number;
}

/** What a round is doing to all writers. */
export interface Load {
  isRunning: boolean;
  /** The most that any of them has been told of. */
  lastPosition: number;
  /** Writes sent in all, since the folder was new. */
  sent: number;
  /** Replies that are errors. There must be none. */
  readonly errors: string[];
}

/** A connection that writes to keys of its own, one write behind the other, several under way at a time; over all rounds on a folder. */
export class Writer {
  readonly id: number;
  /** What it has sent, in this order; a crash takes what was lost away. */
  writes: Write[] = [];
  readonly #random: Random;

  constructor(id: number, random: Random) {
    this.id = id;
    this.#random = random;
  }

  /** Database of its keys. */
  get database(): number {
    return this.id % 2 === 1 ? OTHER_DATABASE : 0;
  }

  /** What its keys begin with. */
  get prefix(): string {
    return `${this.id}:`;
  }

  /** Writes until the load ends or the connection does. */
  async run(address: string, load: Load): Promise<void> {
    const client = new RespClient(address);
    try {
      const last = this.writes.at(-1);
      if (last?.isHalf) await this.#finish(client, last, load);
      while (load.isRunning) {
        const count = 1 + this.#random.int(MOST_UNDER_WAY);
        client.socket.cork();
        const under = Array.from({ length: count }, () => this.#send(client, this.#next(load), load));
        client.socket.uncork();
        await Promise.all(under);
        await nextTurn();
      }
    } catch (error) {
      if (!/connection closed|ECONNRESET|EPIPE/.test((error as Error).message)) throw error;
    } finally {
      client.close();
    }
  }

  #next(load: Load): Write {
    const isAtomic = this.#random.int(2) === 0;
    const write = { data: anyWrite(this.#random, this.prefix), isAtomic, isHalf: false };
    this.writes.push(write);
    load.sent++;
    return write;
  }

  get #lastLine(): string {
    return `${this.id}:${this.writes.length - 1}`;
  }

  async #finish(client: RespClient, write: Write, load: Load): Promise<void> {
    load.sent++;
    const position = await client.send('RPUSH', JOURNAL, this.#lastLine);
    write.isHalf = false;
    this.#acknowledged(write, position, load);
  }

  async #send(client: RespClient, write: Write, load: Load): Promise<void> {
    const { data, isAtomic } = write;
    const replies: Promise<RespValue>[] = [];
    const ask = (...words: string[]) => void replies.push(client.send(...words));
    if (isAtomic) ask('MULTI');
    if (this.database !== 0) ask('SELECT', `${this.database}`);
    const dataAt = replies.length;
    ask(...data);
    if (this.database !== 0) ask('SELECT', '0');
    ask('RPUSH', JOURNAL, this.#lastLine);
    if (isAtomic) ask('EXEC');
    const all = Promise.all(replies);
    all.catch(() => {});
    if (!isAtomic) {
      const reply = await replies[dataAt];
      if (!(reply instanceof RespError)) write.dataAckedMs = performance.now();
    }
    const found = await all;
    const error = found.flat().find((reply) => reply instanceof RespError);
    if (error) load.errors.push(`${data.join(' ').slice(0, 80)}: ${(error as RespError).message}`);
    else this.#acknowledged(write, isAtomic ? (found.at(-1) as RespValue[]).at(-1)! : found.at(-1)!, load);
  }

  #acknowledged(write: Write, position: RespValue, load: Load): void {
    write.ackedMs = performance.now();
    write.dataAckedMs ??= write.ackedMs;
    write.position = Number(position);
    load.lastPosition = Math.max(load.lastPosition, write.position);
  }
}
