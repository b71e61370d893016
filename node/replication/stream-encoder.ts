import { type Args, partsOf } from '../../lib/codec/resp/index.ts';
import { type Slot, STRING, type Store } from '../store/index.ts';
import type { VersionClock } from '../versions.ts';
import { FRAME_OVERHEAD_BYTES, FrameWriter } from './frame-writer.ts';
import { METADATA_CHANNEL_BYTES, METADATA_FRAME_START, VERSION_FRAME_START } from './metadata.ts';
import type { ReplicationLog } from './replication-log.ts';

const SET_START = '*3\r\n$3\r\nSET\r\n';
const SET_EXPIRING_START = '*5\r\n$3\r\nSET\r\n';

/** Views of the entry at hand. */
const keyView = { buffer: Buffer.alloc(0), start: 0, end: 0 };
const valueView = { buffer: Buffer.alloc(0), start: 0, end: 0 };

/** Length line and line ends of an argument. */
const ARGUMENT_BYTES = 16;
const SELECT_BYTES = 64;
/** Commands of this node's own, which Redis does not know. */
const OWN_COMMAND = 'RS.';
const DOT = 0x2e;

/**
 * Says in the stream what a leader does to its data: in Redis's commands, which a redis-server can follow too, and with the version of a
 * value before them where it is not the one after the last (`docs/protocol.md`). To be asked only while the log is active.
 */
export class StreamEncoder {
  readonly #log: ReplicationLog;
  readonly #versions: VersionClock;

  constructor(log: ReplicationLog, versions: VersionClock) {
    this.#log = log;
    this.#versions = versions;
  }

  /** `SET key value [PXAT ms]`: the entry is now this string, and bare of marks. */
  set(database: number, store: Store, slot: Slot): void {
    const expiresAt = store.expiresAt(slot);
    store.viewKey(slot, keyView);
    store.view(slot, valueView);
    const writer = this.#effect(database, keyView.end - keyView.start + valueView.end - valueView.start);
    writer.fixed(expiresAt === 0 ? SET_START : SET_EXPIRING_START);
    writer.bulkBytes(keyView.buffer, keyView.start, keyView.end);
    writer.bulkBytes(valueView.buffer, valueView.start, valueView.end);
    if (expiresAt !== 0) {
      writer.bulkText('PXAT');
      writer.bulkNumber(expiresAt);
    }
    this.#log.commit();
  }

  /** The whole value of an entry, whatever type it has; `payload` is what DUMP says of a collection, null for a string. */
  value(database: number, store: Store, slot: Slot, payload: Buffer | null): void {
    if (payload === null) {
      this.set(database, store, slot);
      return;
    }
    const key = store.keyOf(slot);
    const writer = this.#effect(database, key.length + payload.length);
    writer.arrayHeader(6);
    writer.bulkText('RESTORE');
    writer.bulkText(key);
    writer.bulkNumber(store.expiresAt(slot));
    writer.bulkBytes(payload, 0, payload.length);
    writer.bulkText('REPLACE');
    writer.bulkText('ABSTTL');
    this.#log.commit();
  }

  /** `DEL key` */
  remove(database: number, key: string): void {
    const writer = this.#effect(database, key.length);
    writer.arrayHeader(2);
    writer.bulkText('DEL');
    writer.bulkText(key);
    this.#log.commit();
  }

  /** `PEXPIREAT key ms`, or `PERSIST key` for 0; the version stays. */
  expiry(database: number, key: string, atMs: number): void {
    const writer = this.#begin(database, key.length);
    writer.arrayHeader(atMs === 0 ? 2 : 3);
    writer.bulkText(atMs === 0 ? 'PERSIST' : 'PEXPIREAT');
    writer.bulkText(key);
    if (atMs !== 0) writer.bulkNumber(atMs);
    this.#log.commit();
  }

  /** `APPEND key suffix` */
  append(database: number, key: string, suffix: Buffer, start: number, end: number): void {
    const writer = this.#effect(database, key.length + end - start);
    writer.arrayHeader(3);
    writer.bulkText('APPEND');
    writer.bulkText(key);
    writer.bulkBytes(suffix, start, end);
    this.#log.commit();
  }

  /** A command that has the same effect on a follower. Text is one byte a character. What Redis does not know travels as metadata. */
  command(database: number, parts: readonly (string | Buffer)[]): void {
    if (isOwn(parts[0])) {
      this.metadata(database, parts);
      return;
    }
    const writer = this.#effect(database, bytesOf(parts));
    writeParts(writer, parts);
    this.#log.commit();
  }

  /** A command that has the same effect on a follower, as it came; it has to stay where it is until the log settles. */
  same(database: number, args: Args): void {
    const { buffer, frameStart, frameEnd } = args;
    if (buffer[args.start(0) + OWN_COMMAND.length - 1] === DOT) {
      this.command(database, partsOf(args));
      return;
    }
    if (this.#saysNothing(database) && this.#log.isAlone) {
      this.#log.forward(buffer, frameStart, frameEnd);
      if (this.#log.position.saysVersions) this.#log.position.step();
      return;
    }
    this.#effect(database, frameEnd - frameStart).frames(buffer, frameStart, frameEnd);
    this.#log.commit();
  }

  /** Whether a frame with the present version needs nothing before it. */
  #saysNothing(database: number): boolean {
    const { position } = this.#log;
    if (database !== position.database) return false;
    return !position.saysVersions || position.isNext(this.#versions.high, this.#versions.low);
  }

  /** A command of this node's own, as metadata; no version changes. */
  metadata(database: number, parts: readonly (string | Buffer)[]): void {
    const payload = new FrameWriter(Buffer.allocUnsafe(bytesOf(parts)));
    writeParts(payload, parts);
    const writer = this.#begin(database, payload.at);
    writer.fixed(METADATA_FRAME_START);
    writer.bulkBytes(payload.buffer, 0, payload.at);
    this.#log.commit();
  }

  /** A message to whoever listens, here or at a follower; no version changes. What only nodes may say to each other is left out. */
  message(database: number, parts: readonly Buffer[]): void {
    if (parts[1].equals(METADATA_CHANNEL_BYTES)) return;
    writeParts(this.#begin(database, bytesOf(parts)), parts);
    this.#log.commit();
  }

  /** A command of this node's own that is about the stream, not about data. */
  note(...parts: readonly string[]): void {
    this.metadata(Math.max(0, this.#log.position.database), parts);
  }

  /** A command about the stream that every follower knows: PING, or `REPLCONF GETACK *`. */
  signal(...parts: readonly string[]): void {
    writeParts(this.#log.begin(bytesOf(parts)), parts);
    this.#log.commit();
  }

  /** A frame that gives a key the present version. */
  #effect(database: number, bytes: number): FrameWriter {
    const writer = this.#begin(database, bytes);
    const { position } = this.#log;
    if (!position.saysVersions) return writer;
    const { high, low } = this.#versions;
    if (!position.isNext(high, low)) {
      writer.fixed(VERSION_FRAME_START);
      writer.versionEnd(high, low);
    }
    position.moveTo(high, low);
    return writer;
  }

  #begin(database: number, bytes: number): FrameWriter {
    const { position } = this.#log;
    if (database !== position.database) {
      position.database = database;
      const select = this.#log.begin(SELECT_BYTES, true);
      select.arrayHeader(2);
      select.bulkText('SELECT');
      select.bulkNumber(database);
      this.#log.commit();
    }
    return this.#log.begin(bytes + FRAME_OVERHEAD_BYTES);
  }
}

/** Whether the whole value of the entry goes as the payload of DUMP. */
export function isDumped(store: Store, slot: Slot): boolean {
  return store.typeOf(slot) !== STRING;
}

function isOwn(name: string | Buffer): boolean {
  const start = typeof name === 'string' ? name.slice(0, 3) : name.latin1Slice(0, 3);
  return start.toUpperCase() === OWN_COMMAND;
}

function bytesOf(parts: readonly (string | Buffer)[]): number {
  return parts.reduce((sum, part) => sum + part.length + ARGUMENT_BYTES, ARGUMENT_BYTES);
}

function writeParts(writer: FrameWriter, parts: readonly (string | Buffer)[]): void {
  writer.arrayHeader(parts.length);
  for (const part of parts) {
    if (typeof part === 'string') writer.bulkText(part);
    else writer.bulkBytes(part, 0, part.length);
  }
}
