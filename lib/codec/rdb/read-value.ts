import { RdbFormatError } from './format-error.ts';
import { readIntset } from './intset.ts';
import { readListpack, type VisitPacked } from './listpack.ts';
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
import { readZiplist } from './ziplist.ts';
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

type ReadPacked = (buffer: Buffer, start: number, end: number, visit: VisitPacked) => void;

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

function readElements(readPacked: ReadPacked): Shape['read'] {
  return (reader, sink) => {
    reader.string();
    let seen = 0;
    readPacked(reader.bytes, reader.start, reader.end, (buffer, start, end) => {
      mustBeNew(sink.element(buffer, start, end));
      seen++;
    });
    return seen;
  };
}

function readNode(hasContainer: boolean): Shape['read'] {
  return (reader, sink) => {
    const container = hasContainer ? reader.length() : NODE_PACKED;
    if (container !== NODE_PLAIN && container !== NODE_PACKED)
      throw new RdbFormatError('a node is of no kind');
    reader.string();
    const { bytes, start, end } = reader;
    if (start === end) throw new RdbFormatError('a node is empty');
    let seen = 0;
    const visit = (buffer: Buffer, from: number, to: number) => {
      mustBeNew(sink.element(buffer, from, to));
      seen++;
    };
    if (container === NODE_PLAIN) visit(bytes, start, end);
    else if (hasContainer) readListpack(bytes, start, end, visit);
    else readZiplist(bytes, start, end, visit);
    return seen;
  };
}

/** Visits elements two by two; returns how many pairs there were. */
function readPairs(
  reader: RdbReader,
  readPacked: ReadPacked,
  visit: (a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number) => void,
): number {
  let seen = 0;
  let first: Buffer | null = null;
  let from = 0;
  let to = 0;
  reader.string();
  readPacked(reader.bytes, reader.start, reader.end, (buffer, start, end) => {
    if (first === null) {
      first = buffer;
      from = start;
      to = end;
      return;
    }
    visit(first, from, to, buffer, start, end);
    first = null;
    seen++;
  });
  if (first !== null) throw new RdbFormatError('a pair is cut off');
  return seen;
}

function readFields(readPacked: ReadPacked): Shape['read'] {
  return (reader, sink) =>
    readPairs(reader, readPacked, (a, aStart, aEnd, b, bStart, bEnd) =>
      mustBeNew(sink.field(a, aStart, aEnd, b, bStart, bEnd)),
    );
}

function readMembers(readPacked: ReadPacked): Shape['read'] {
  return (reader, sink) =>
    readPairs(reader, readPacked, (a, aStart, aEnd, b, bStart, bEnd) =>
      giveMember(sink, a, aStart, aEnd, doubleOf(b, bStart, bEnd)),
    );
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
  [RDB_LIST_ZIPLIST, single('list', readElements(readZiplist))],
  [RDB_SET_INTSET, single('set', readElements(readIntset))],
  [RDB_ZSET_ZIPLIST, single('zset', readMembers(readZiplist))],
  [RDB_HASH_ZIPLIST, single('hash', readFields(readZiplist))],
  [RDB_LIST_QUICKLIST, counted('list', readNode(false))],
  [RDB_HASH_LISTPACK, single('hash', readFields(readListpack))],
  [RDB_ZSET_LISTPACK, single('zset', readMembers(readListpack))],
  [RDB_LIST_QUICKLIST_2, counted('list', readNode(true))],
]);
