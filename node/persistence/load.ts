import {
  type RdbEntry,
  RdbFileReader,
  type RdbFileSink,
  RdbFormatError,
  type RdbSink,
} from '../../lib/codec/rdb/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import { type NewEntry, type Slot, STRING, type ValueType } from '../store/index.ts';
import { EntryBuilder } from '../values/entry-builder.ts';
import { ANSWER_FIELD, ENTRY_FIELD, EntryFacts, FENCE_FIELD, VERSION_FIELD } from './entry-facts.ts';
import { epochOf, hasStream, readStreamFacts, resumeStream } from './stream-facts.ts';

/** Redis's longest string. */
const MAX_STRING_BYTES = 512 * 1024 * 1024;
/** What a file may claim to hold before it does: 50 MB of index. */
const MAX_RESERVED = 2 ** 23;
const VERSION = /^[0-9a-f]{16}$/;
const FENCE = /^(\d{1,20}) (.*)$/s;
const ANSWER = /^(\d{1,16}) (\d{1,3}) (\d{1,3}) (.*)$/s;
const MAX_TOKEN = 2n ** 64n - 1n;

/** How a file is loaded. */
export interface LoadOptions {
  /**
   * Leave out what has expired at `nowMs` (unix milliseconds): a leader does, a follower waits for its leader. Not what is in a stream that
   * others may go on with: they have to hear that it goes.
   */
  readonly skipsExpired: boolean;
  readonly nowMs: number;
  /** Whether an entry takes the place of one that is there; else that is an error. */
  readonly replaces?: boolean;
}

/** Takes a value and keeps nothing of it. */
const nowhere: RdbSink = {
  begin: () => {},
  string: () => {},
  element: () => true,
  member: () => true,
  field: () => true,
};

/**
 * Puts the entries of an RDB, of a node or of a real redis-server, into databases that are empty, as its bytes come in. Versions and marks are
 * kept; an entry without a version gets that of the file, or, in a file of somebody else, the next one of this node.
 */
export class SnapshotLoader implements RdbFileSink {
  readonly #databases: Databases;
  readonly #options: LoadOptions;
  readonly #reader: RdbFileReader;
  readonly #facts = new EntryFacts();
  /** Fields about the file, by name. */
  readonly fields = new Map<string, string>();
  #hasVersion = false;
  #high = 0;
  #low = 0;
  /** What the file says that the highest version of all was; null in a file of somebody else. */
  #ownVersion: { readonly high: number; readonly low: number } | null = null;
  /** The entry that is being read; null when it is left out. */
  #keyspace: Keyspace | null = null;
  #entry: RdbEntry | null = null;
  readonly #builder: EntryBuilder;
  /** The database whose store has been added to in numbers and not been flushed. */
  #inserting: Keyspace | null = null;
  readonly #new: NewEntry = {
    type: STRING,
    space: 0,
    expiresAt: 0,
    high: 0,
    low: 0,
    idleSeconds: null,
    frequency: null,
  };
  /** Entries put into databases, and left out because they have expired. */
  loaded = 0;
  expired = 0;
  /** Entries that the file has said to hold. */
  expected = 0;

  constructor(databases: Databases, options: LoadOptions) {
    this.#databases = databases;
    this.#options = options;
    this.#builder = new EntryBuilder(databases.data);
    this.#reader = new RdbFileReader({ maxStringBytes: MAX_STRING_BYTES }, this);
  }

  /** Whether the file has been read to its end and its checksum was right. */
  get isDone(): boolean {
    return this.#reader.isDone;
  }

  /** Whether the file has versions of its own: it is a node's. */
  get hasOwnVersions(): boolean {
    return this.#ownVersion !== null;
  }

  /** Bytes of the file that have been read. */
  get offset(): number {
    return this.#reader.offset;
  }

  /**
   * Loads what these bytes bring; returns where the file ended in them, or `end`. Takes time for all of them: whoever has many gives them in
   * slices. Throws RdbFormatError, which names the offset, when the file is not sound; what has been loaded until then is there.
   */
  push(chunk: Buffer, start = 0, end = chunk.length): number {
    const { data } = this.#databases;
    const { isReplaying, notifyMask } = data;
    data.isReplaying = true;
    data.notifyMask = 0;
    try {
      return this.#reader.push(chunk, start, end);
    } finally {
      this.#flush(`offset ${this.offset}: `);
      data.isReplaying = isReplaying;
      data.notifyMask = notifyMask;
    }
  }

  /** The whole file has been loaded: the data set is where the file says in its stream, and versions go on behind its highest. */
  goOn(): void {
    const { log, versions } = this.#databases.data;
    log.epoch = epochOf(this.fields);
    const stream = readStreamFacts(this.fields);
    if (stream !== null) resumeStream(log, stream);
    if (this.#ownVersion === null) return;
    versions.forget();
    versions.observe(this.#ownVersion.high, this.#ownVersion.low);
  }

  size(database: number, entries: number): void {
    this.#databaseOf(database).store.reserve(Math.min(entries, MAX_RESERVED));
    this.expected += entries;
  }

  string(entry: RdbEntry, buffer: Buffer, start: number, end: number): void {
    if (this.#isSpecial) {
      const sink = this.entry(entry);
      sink.begin('string');
      sink.string(buffer, start, end);
      this.entryEnd();
      return;
    }
    if (!this.#isLeftOut(entry)) this.#add(entry, STRING, buffer, start, end);
    this.#facts.isGiven = false;
  }

  /** Whether the next entry cannot be added in numbers. */
  get #isSpecial(): boolean {
    return this.#options.replaces === true || this.#facts.marks !== null;
  }

  /** Adds an entry in numbers. */
  #add(entry: RdbEntry, type: ValueType, buffer: Buffer, start: number, end: number): void {
    const { database, key, keyStart, keyEnd } = entry;
    const facts = this.#facts;
    this.#begin(database);
    const { store, data } = this.#inserting!;
    const item = this.#new;
    item.type = type;
    item.space = data.namespaces.numberOf(key, keyStart, keyEnd);
    item.expiresAt = entry.expiresAt;
    item.idleSeconds = entry.idleSeconds;
    item.frequency = entry.frequency;
    this.#observeVersion();
    item.high = facts.isGiven ? facts.high : this.#high;
    item.low = facts.isGiven ? facts.low : this.#low;
    this.#mustBeNew(store.inserts.add(key, keyStart, keyEnd, buffer, start, end, item));
    this.loaded++;
  }

  /** What comes next in numbers is of this database. */
  #begin(database: number): void {
    if (this.#inserting?.index === database) return;
    this.#flush();
    this.#inserting = this.#databaseOf(database);
  }

  /** Completes what has been added in numbers; `where` goes before the message. */
  #flush(where = ''): void {
    const keyspace = this.#inserting;
    this.#inserting = null;
    if (keyspace !== null) this.#mustBeNew(keyspace.store.inserts.flush(), where);
  }

  #mustBeNew(former: string | null, where = ''): void {
    if (former === null) return;
    const key = Buffer.from(former, 'latin1').utf8Slice();
    throw new RdbFormatError(`${where}key "${key}" is there twice`);
  }

  #isLeftOut({ expiresAt }: RdbEntry): boolean {
    const { skipsExpired, nowMs } = this.#options;
    if (!skipsExpired || expiresAt === 0 || expiresAt > nowMs || hasStream(this.fields)) return false;
    this.expired++;
    return true;
  }

  entry(entry: RdbEntry): RdbSink {
    const keyspace = this.#databaseOf(entry.database);
    const isLeftOut = this.#isLeftOut(entry);
    this.#keyspace = isLeftOut ? null : keyspace;
    this.#entry = entry;
    return isLeftOut ? nowhere : this.#builder;
  }

  entryEnd(): void {
    const facts = this.#facts;
    if (this.#keyspace !== null) this.#finish(this.#keyspace, this.#entry!);
    facts.isGiven = false;
    facts.marks = null;
  }

  #finish(keyspace: Keyspace, entry: RdbEntry): void {
    const builder = this.#builder;
    builder.complete();
    if (builder.object !== null || this.#isSpecial) this.#addOne(keyspace, entry);
    else this.#add(entry, builder.type, builder.bytes, builder.start, builder.end);
  }

  /** Adds an entry by itself: in place of another one, or with an object or marks. */
  #addOne(keyspace: Keyspace, entry: RdbEntry): void {
    const { key, keyStart, keyEnd, expiresAt, idleSeconds, frequency } = entry;
    const { store } = keyspace;
    const facts = this.#facts;
    const find = () => store.find(key, keyStart, keyEnd);
    this.#flush();
    const former = find();
    if (former !== 0) this.#replace(keyspace, former, key.subarray(keyStart, keyEnd));
    const slot = this.#builder.addTo(keyspace, key, keyStart, keyEnd);
    this.#observeVersion();
    store.setVersion(slot, facts.isGiven ? facts.high : this.#high, facts.isGiven ? facts.low : this.#low);
    if (expiresAt !== 0) store.setExpiry(find(), expiresAt);
    if (facts.marks !== null) keyspace.mark(find(), facts.marks);
    if (idleSeconds !== null || frequency !== null) store.setUse(find(), idleSeconds, frequency);
    this.loaded++;
  }

  #replace(keyspace: Keyspace, former: Slot, key: Buffer): void {
    if (!this.#options.replaces) throw new RdbFormatError(`key "${key.utf8Slice()}" is there twice`);
    keyspace.remove(former);
  }

  #observeVersion(): void {
    const facts = this.#facts;
    if (facts.isGiven) this.#databases.data.versions.observe(facts.high, facts.low);
    else this.#needVersion();
  }

  /** An entry without a version of its own: the file's, which is above all that were handed out before in a file of somebody else. */
  #needVersion(): void {
    if (this.#hasVersion) return;
    const { versions } = this.#databases.data;
    versions.next();
    this.#setVersion(versions.high, versions.low);
  }

  #setVersion(high: number, low: number): void {
    this.#hasVersion = true;
    this.#high = high;
    this.#low = low;
  }

  #databaseOf(index: number): Keyspace {
    if (index < this.#databases.count) return this.#databases.at(index);
    throw new RdbFormatError(`the file has a database ${index}; there are ${this.#databases.count}`);
  }

  aux(name: string, buffer: Buffer, start: number, end: number): void {
    if (name === ENTRY_FIELD) {
      if (!this.#facts.read(buffer, start, end)) throw new RdbFormatError(`the field ${name} is malformed`);
    } else if (name === VERSION_FIELD) this.#readVersion(buffer.latin1Slice(start, end));
    else if (name === FENCE_FIELD) this.#readFence(buffer.latin1Slice(start, end));
    else if (name === ANSWER_FIELD) this.#readAnswer(buffer.latin1Slice(start, end));
    else this.fields.set(name, buffer.latin1Slice(start, end));
  }

  #readVersion(text: string): void {
    if (!VERSION.test(text)) throw new RdbFormatError(`the field ${VERSION_FIELD} is malformed`);
    this.#setVersion(Number.parseInt(text.slice(0, 8), 16), Number.parseInt(text.slice(8), 16));
    this.#ownVersion = { high: this.#high, low: this.#low };
    this.#databases.data.versions.observe(this.#high, this.#low);
  }

  #readAnswer(text: string): void {
    const [, untilMs, nameLength, digestLength, rest = ''] = ANSWER.exec(text) ?? [];
    const digestAt = Number(nameLength);
    const replyAt = digestAt + Number(digestLength);
    if (!(rest.length > replyAt)) throw new RdbFormatError(`the field ${ANSWER_FIELD} is malformed`);
    const { answers } = this.#databases.data.cache;
    answers.keep(
      rest.slice(0, digestAt),
      rest.slice(digestAt, replyAt),
      rest.slice(replyAt),
      Number(untilMs),
    );
  }

  #readFence(text: string): void {
    const [, token, name] = FENCE.exec(text) ?? [];
    if (token === undefined || BigInt(token) > MAX_TOKEN)
      throw new RdbFormatError(`the field ${FENCE_FIELD} is malformed`);
    const problem = this.#databases.data.cache.fences.raise(name, BigInt(token));
    if (problem !== null) throw new RdbFormatError(problem);
  }
}
