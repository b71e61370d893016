import { RdbFormatError } from './format-error.ts';
import { IntsetCursor } from './intset.ts';
import { ListpackCursor } from './listpack.ts';
import type { PackedCursor } from './packed-cursor.ts';
import { doubleOf, type RdbReader } from './reader.ts';
import {
  NODE_PACKED,
  NODE_PLAIN,
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
  RDB_LIST_ZIPLIST,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_STRING,
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from './types.ts';
import { ZiplistCursor } from './ziplist.ts';
import { readZipmap } from './zipmap.ts';

/** What a value is, whatever its encoding. */
export type RdbKind = 'string' | 'list' | 'set' | 'zset' | 'hash';

/**
 * Gets a value bit by bit; byte ranges are valid during the call. `element`, `member` and `field` return false when the value has the
 * element already (of a set), the member or the field: no sound value has.
 */
export interface RdbSink {
  /** Comes first. */
  begin(kind: RdbKind): void;
  string(buffer: Buffer, start: number, end: number): void;
  /** An element of a list, in order, or of a set. */
  element(buffer: Buffer, start: number, end: number): boolean;
  /** A member of a sorted set, in any order; the score is not NaN. */
  member(buffer: Buffer, start: number, end: number, score: number): boolean;
  field(
    fieldBuffer: Buffer,
    fieldStart: number,
    fieldEnd: number,
    valueBuffer: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean;
}

/** How the values of a type are written: parts of one kind, with their number in front or just one. */
interface Shape {
  readonly kind: RdbKind;
  readonly isCounted: boolean;
  /** Reads one part and gives what is in it; returns how many elements that were. Gives nothing when the part is cut off. */
  readonly read: (reader: RdbReader, sink: RdbSink) => number;
}

/**
 * Reads one value part by part, so that neither all of its bytes need to be there at once nor all of it is read in one go. Where the bytes
 * end inside a part it throws RdbCutOff: with the reader set back to where the part began and more bytes, the same call may be made again.
 */
export class RdbValueReader {
  readonly #shape: Shape;
  #sink: RdbSink | null = null;
  #left: number;
  #seen = 0;

  /** Begins with the value that the reader stands before, behind its type. Throws RdbFormatError when there is none or it is empty. */
  constructor(type: number, reader: RdbReader) {
    const shape = shapes.get(type);
    if (!shape) throw new RdbFormatError('the type is unknown');
    this.#shape = shape;
    this.#left = shape.isCounted ? reader.length() : 1;
    if (this.#left === 0) throw new RdbFormatError('the value is empty');
  }

  /** Reads the next part; returns whether there are more. Throws RdbFormatError when it is not sound, or the whole value was empty. */
  step(reader: RdbReader, sink: RdbSink): boolean {
    if (this.#sink === null) {
      sink.begin(this.#shape.kind);
      this.#sink = sink;
    }
    this.#seen += this.#shape.read(reader, sink);
    if (--this.#left > 0) return true;
    if (this.#seen === 0) throw new RdbFormatError('the value is empty');
    return false;
  }
}

/**
 * Reads the value of this type that the reader stands before, in any encoding that Redis 7.0 reads. Throws RdbFormatError when there is
 * none, when it is empty or has something twice; the sink may have got a part of it by then.
 */
export function readRdbValue(type: number, reader: RdbReader, sink: RdbSink): void {
  const value = new RdbValueReader(type, reader);
  while (value.step(reader, sink));
}

function mustBeNew(answer: boolean): void {
  if (!answer) throw new RdbFormatError('the value has something twice');
}

function readString(reader: RdbReader, sink: RdbSink): number {
  reader.string();
  sink.string(reader.bytes, reader.start, reader.end);
  return 1;
}

function readElement(reader: RdbReader, sink: RdbSink): number {
  reader.string();
  mustBeNew(sink.element(reader.bytes, reader.start, reader.end));
  return 1;
}

function readMember(score: (reader: RdbReader) => number): Shape['read'] {
  return (reader, sink) => {
    reader.string();
    const { bytes, start, end } = reader;
    giveMember(sink, bytes, start, end, score(reader));
    return 1;
  };
}

function giveMember(sink: RdbSink, buffer: Buffer, start: number, end: number, score: number): void {
  if (Number.isNaN(score)) throw new RdbFormatError('a score is no number');
  mustBeNew(sink.member(buffer, start, end, score));
}

function readField(reader: RdbReader, sink: RdbSink): number {
  reader.string();
  const { bytes, start, end } = reader;
  reader.string();
  mustBeNew(sink.field(bytes, start, end, reader.bytes, reader.start, reader.end));
  return 1;
}

/** Begins with the packed value that the next string is. */
function openNext(cursor: PackedCursor, reader: RdbReader): void {
  reader.string();
  cursor.open(reader.bytes, reader.start, reader.end);
}

function giveElements(cursor: PackedCursor, sink: RdbSink): number {
  let seen = 0;
  for (; cursor.next(); seen++) mustBeNew(sink.element(cursor.buffer, cursor.start, cursor.end));
  return seen;
}

function readElements(cursor: PackedCursor): Shape['read'] {
  return (reader, sink) => {
    openNext(cursor, reader);
    return giveElements(cursor, sink);
  };
}

function readNode(cursor: PackedCursor, hasContainer: boolean): Shape['read'] {
  return (reader, sink) => {
    const container = hasContainer ? reader.length() : NODE_PACKED;
    if (container !== NODE_PLAIN && container !== NODE_PACKED)
      throw new RdbFormatError('a node is of no kind');
    reader.string();
    const { bytes, start, end } = reader;
    if (start === end) throw new RdbFormatError('a node is empty');
    if (container === NODE_PLAIN) {
      mustBeNew(sink.element(bytes, start, end));
      return 1;
    }
    cursor.open(bytes, start, end);
    return giveElements(cursor, sink);
  };
}

/** Turns to the second of a pair. */
function mustGoOn(cursor: PackedCursor): void {
  if (!cursor.next()) throw new RdbFormatError('a pair is cut off');
}

function readFields(cursor: PackedCursor): Shape['read'] {
  return (reader, sink) => {
    let seen = 0;
    openNext(cursor, reader);
    for (; cursor.next(); seen++) {
      const { buffer, start, end } = cursor;
      mustGoOn(cursor);
      mustBeNew(sink.field(buffer, start, end, cursor.buffer, cursor.start, cursor.end));
    }
    return seen;
  };
}

function readMembers(cursor: PackedCursor): Shape['read'] {
  return (reader, sink) => {
    let seen = 0;
    openNext(cursor, reader);
    for (; cursor.next(); seen++) {
      const { buffer, start, end } = cursor;
      mustGoOn(cursor);
      const { number } = cursor;
      const score = Number.isNaN(number) ? doubleOf(cursor.buffer, cursor.start, cursor.end) : number;
      giveMember(sink, buffer, start, end, score);
    }
    return seen;
  };
}

function readZipmapFields(reader: RdbReader, sink: RdbSink): number {
  let seen = 0;
  reader.string();
  readZipmap(reader.bytes, reader.start, reader.end, (buffer, fieldStart, fieldEnd, valueStart, valueEnd) => {
    mustBeNew(sink.field(buffer, fieldStart, fieldEnd, buffer, valueStart, valueEnd));
    seen++;
  });
  return seen;
}

function counted(kind: RdbKind, read: Shape['read']): Shape {
  return { kind, isCounted: true, read };
}

function single(kind: RdbKind, read: Shape['read']): Shape {
  return { kind, isCounted: false, read };
}

/* One of each is enough: the elements of a packed value are given in one go. */
const intset = new IntsetCursor();
const listpack = new ListpackCursor();
const ziplist = new ZiplistCursor();

const shapes: ReadonlyMap<number, Shape> = new Map([
  [RDB_STRING, single('string', readString)],
  [RDB_LIST, counted('list', readElement)],
  [RDB_SET, counted('set', readElement)],
  [
    RDB_ZSET,
    counted(
      'zset',
      readMember((reader) => reader.textDouble()),
    ),
  ],
  [RDB_HASH, counted('hash', readField)],
  [
    RDB_ZSET_2,
    counted(
      'zset',
      readMember((reader) => reader.binaryDouble()),
    ),
  ],
  [RDB_HASH_ZIPMAP, single('hash', readZipmapFields)],
  [RDB_LIST_ZIPLIST, single('list', readElements(ziplist))],
  [RDB_SET_INTSET, single('set', readElements(intset))],
  [RDB_ZSET_ZIPLIST, single('zset', readMembers(ziplist))],
  [RDB_HASH_ZIPLIST, single('hash', readFields(ziplist))],
  [RDB_LIST_QUICKLIST, counted('list', readNode(ziplist, false))],
  [RDB_HASH_LISTPACK, single('hash', readFields(listpack))],
  [RDB_ZSET_LISTPACK, single('zset', readMembers(listpack))],
  [RDB_LIST_QUICKLIST_2, counted('list', readNode(listpack, true))],
]);
