import type { Clock } from '../../lib/base/index.ts';
import { type Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { Version } from '../cache/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Slot } from '../store/index.ts';
import type { Dice } from '../values/index.ts';
import type { CommandContext } from './command.ts';

/** A part of a reply ends with whichever is reached first. */
const PART_MS = 3;
const PART_BYTES = 256 * 1024;
/** How often the clock is looked at, in members. */
const LOOK_EVERY = 32;
/** Where a reply cannot be given in parts, it is cut off above this together with its connection: it would end the process. */
const MAX_REPLY_BYTES = 256 * 1024 * 1024;

/** Opens the value of an entry. What it returns writes one of its members, each as likely. */
export type OpenChoice = (keyspace: Keyspace, slot: Slot, reply: RespWriter) => () => void;

/**
 * Writes `times` members, which may repeat, of the entry of the key in argument 1; the header of the reply is the caller's. Many are written
 * in parts, as the client reads them, unless it is in the middle of a transaction. All of them were members when the command ran: once the
 * value has changed, what is left is chosen from the members of the first part.
 */
export function answerRepeated(
  { client, databases, keyspace, node }: CommandContext,
  args: Args,
  slot: Slot,
  times: number,
  open: OpenChoice,
  reply: RespWriter,
): void {
  if (!client.mayBlock) {
    client.closing ||= !repeat(times, open(keyspace, slot, reply), reply);
    return;
  }
  const writer = new RespWriter();
  writer.protocol = reply.protocol;
  const ends: number[] = [];
  const choose = open(keyspace, slot, writer);
  const part = new Part(node.clock, writer);
  do {
    choose();
    ends.push(writer.length);
  } while (ends.length < times && !part.isOver());
  const bytes = writer.take();
  reply.raw(bytes, 0, bytes.length);
  if (ends.length === times) return;
  const left = times - ends.length;
  const { store, index } = keyspace;
  const version = { high: store.versionHigh(slot), low: store.versionLow(slot) };
  const first = { bytes, ends, left, open, key: args.copy(1), version };
  const rest = new RestOfChoices(databases, index, node, first);
  client.unfinished = (to) => rest.write(to);
}

/** Says when so much has been written in one go that others must have their turn. */
class Part {
  readonly #clock: Clock;
  readonly #reply: RespWriter;
  readonly #startedMs: number;
  readonly #offset: number;
  #members = 0;

  constructor(clock: Clock, reply: RespWriter) {
    this.#clock = clock;
    this.#reply = reply;
    this.#startedMs = clock.monotonicMs();
    this.#offset = reply.length;
  }

  /** To be asked behind each member. */
  isOver(): boolean {
    if (this.#reply.length - this.#offset >= PART_BYTES) return true;
    if (++this.#members % LOOK_EVERY !== 0) return false;
    return this.#clock.monotonicMs() - this.#startedMs >= PART_MS;
  }
}

/** Writes all members at once; false when they became too many. */
function repeat(times: number, choose: () => void, reply: RespWriter): boolean {
  const offset = reply.length;
  for (let i = 0; i < times; i++) {
    if (reply.length - offset > MAX_REPLY_BYTES) return false;
    choose();
  }
  return true;
}

/** What the first part of a reply leaves to be done. */
interface FirstPart {
  /** The first part, and where each of its members ends in it. */
  readonly bytes: Buffer;
  readonly ends: readonly number[];
  /** How many members are still to come. */
  readonly left: number;
  readonly open: OpenChoice;
  readonly key: Buffer;
  readonly version: Version;
}

/** What it takes of the node. */
interface Means {
  readonly clock: Clock;
  readonly random: Dice;
}

class RestOfChoices {
  readonly #databases: Databases;
  readonly #database: number;
  readonly #node: Means;
  readonly #first: FirstPart;
  #left: number;

  constructor(databases: Databases, database: number, node: Means, first: FirstPart) {
    this.#databases = databases;
    this.#database = database;
    this.#node = node;
    this.#first = first;
    this.#left = first.left;
  }

  /** Writes the next part; returns whether there is more. */
  write(reply: RespWriter): boolean {
    const choose = this.#choice(reply);
    const part = new Part(this.#node.clock, reply);
    do {
      choose();
      this.#left--;
    } while (this.#left > 0 && !part.isOver());
    return this.#left > 0;
  }

  /** Writes a member of the value, if that has not changed, else one of the first part. */
  #choice(reply: RespWriter): () => void {
    const { bytes, ends, open, key, version } = this.#first;
    const keyspace = this.#databases.at(this.#database);
    const slot = keyspace.find(key, 0, key.length);
    const { store } = keyspace;
    if (slot !== 0 && store.versionLow(slot) === version.low && store.versionHigh(slot) === version.high)
      return open(keyspace, slot, reply);
    return () => {
      const i = this.#node.random.int(ends.length);
      reply.raw(bytes, i === 0 ? 0 : ends[i - 1], ends[i]);
    };
  }
}
