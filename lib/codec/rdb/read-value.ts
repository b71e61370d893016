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

type Read = (reader: RdbReader, sink: RdbSink) => void;
type ReadPacked = (buffer: Buffer, start: number, end: number, visit: VisitPacked) => void;

/**
 * Reads the value of this type that the reader stands before, in any encoding that Redis 7.0 reads. Throws RdbFormatError when there is
 * none, when it is empty or has something twice; the sink may have got a part of it by then.
 */
export function readRdbValue(type: number, reader: RdbReader, sink: RdbSink): void {
  const read = readers.get(type);
  if (!read) throw new RdbFormatError('the type is unknown');
  read(reader, sink);
}

function readString(reader: RdbReader, sink: RdbSink): void {
  sink.begin('string');
  reader.string();
  sink.string(reader.bytes, reader.start, reader.end);
}

/** Counts down what follows; an empty value is refused. */
function count(reader: RdbReader): number {
  const length = reader.length();
  if (length === 0) throw new RdbFormatError('the value is empty');
  return length;
}

function mustBeNew(answer: boolean): void {
  if (!answer) throw new RdbFormatError('the value has something twice');
}

function readElements(kind: 'list' | 'set'): Read {
  return (reader, sink) => {
    sink.begin(kind);
    for (let left = count(reader); left > 0; left--) {
      reader.string();
      mustBeNew(sink.element(reader.bytes, reader.start, reader.end));
    }
  };
}

function readMembers(score: (reader: RdbReader) => number): Read {
  return (reader, sink) => {
    sink.begin('zset');
    for (let left = count(reader); left > 0; left--) {
      reader.string();
      const { bytes, start, end } = reader;
      giveMember(sink, bytes, start, end, score(reader));
    }
  };
}

function giveMember(sink: RdbSink, buffer: Buffer, start: number, end: number, score: number): void {
  if (Number.isNaN(score)) throw new RdbFormatError('a score is no number');
  mustBeNew(sink.member(buffer, start, end, score));
}

function readFields(reader: RdbReader, sink: RdbSink): void {
  sink.begin('hash');
  for (let left = count(reader); left > 0; left--) {
    reader.string();
    const { bytes, start, end } = reader;
    reader.string();
    mustBeNew(sink.field(bytes, start, end, reader.bytes, reader.start, reader.end));
  }
}

/** A value whose encoding is one string. Empty ones are refused. */
function readPackedValue(kind: RdbKind, read: (reader: RdbReader, sink: RdbSink) => number): Read {
  return (reader, sink) => {
    sink.begin(kind);
    reader.string();
    if (read(reader, sink) === 0) throw new RdbFormatError('the value is empty');
  };
}

function packedElements(kind: 'list' | 'set', readPacked: ReadPacked): Read {
  return readPackedValue(kind, (reader, sink) => {
    let seen = 0;
    readPacked(reader.bytes, reader.start, reader.end, (buffer, start, end) => {
      mustBeNew(sink.element(buffer, start, end));
      seen++;
    });
    return seen;
  });
}

function readNodes(hasContainers: boolean): Read {
  return (reader, sink) => {
    sink.begin('list');
    let seen = 0;
    const visit = (buffer: Buffer, start: number, end: number) => {
      mustBeNew(sink.element(buffer, start, end));
      seen++;
    };
    for (let left = count(reader); left > 0; left--) readNode(reader, hasContainers, visit);
    if (seen === 0) throw new RdbFormatError('the value is empty');
  };
}

function readNode(reader: RdbReader, hasContainer: boolean, visit: VisitPacked): void {
  const container = hasContainer ? reader.length() : NODE_PACKED;
  if (container !== NODE_PLAIN && container !== NODE_PACKED) throw new RdbFormatError('a node is of no kind');
  reader.string();
  const { bytes, start, end } = reader;
  if (start === end) throw new RdbFormatError('a node is empty');
  if (container === NODE_PLAIN) visit(bytes, start, end);
  else if (hasContainer) readListpack(bytes, start, end, visit);
  else readZiplist(bytes, start, end, visit);
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

function packedFields(readPacked: ReadPacked): Read {
  return readPackedValue('hash', (reader, sink) =>
    readPairs(reader, readPacked, (a, aStart, aEnd, b, bStart, bEnd) =>
      mustBeNew(sink.field(a, aStart, aEnd, b, bStart, bEnd)),
    ),
  );
}

function packedMembers(readPacked: ReadPacked): Read {
  return readPackedValue('zset', (reader, sink) =>
    readPairs(reader, readPacked, (a, aStart, aEnd, b, bStart, bEnd) =>
      giveMember(sink, a, aStart, aEnd, doubleOf(b, bStart, bEnd)),
    ),
  );
}

const zipmapFields: Read = readPackedValue('hash', (reader, sink) => {
  let seen = 0;
  readZipmap(reader.bytes, reader.start, reader.end, (buffer, fieldStart, fieldEnd, valueStart, valueEnd) => {
    mustBeNew(sink.field(buffer, fieldStart, fieldEnd, buffer, valueStart, valueEnd));
    seen++;
  });
  return seen;
});

const readers: ReadonlyMap<number, Read> = new Map([
  [RDB_STRING, readString],
  [RDB_LIST, readElements('list')],
  [RDB_SET, readElements('set')],
  [RDB_ZSET, readMembers((reader) => reader.textDouble())],
  [RDB_HASH, readFields],
  [RDB_ZSET_2, readMembers((reader) => reader.binaryDouble())],
  [RDB_HASH_ZIPMAP, zipmapFields],
  [RDB_LIST_ZIPLIST, packedElements('list', readZiplist)],
  [RDB_SET_INTSET, packedElements('set', readIntset)],
  [RDB_ZSET_ZIPLIST, packedMembers(readZiplist)],
  [RDB_HASH_ZIPLIST, packedFields(readZiplist)],
  [RDB_LIST_QUICKLIST, readNodes(false)],
  [RDB_HASH_LISTPACK, packedFields(readListpack)],
  [RDB_ZSET_LISTPACK, packedMembers(readListpack)],
  [RDB_LIST_QUICKLIST_2, readNodes(true)],
]);
