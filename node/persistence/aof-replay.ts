import { RequestParser, type RespLimits } from '../../lib/codec/resp/index.ts';
import type { Databases } from '../databases.ts';
import { isMetadata } from '../replication/metadata.ts';
import type { Replayer } from '../replication/replayer.ts';
import { StreamApplier, StreamError } from '../replication/stream-applier.ts';
import { StreamUnit } from '../replication/stream-unit.ts';
import { type Annotation, readAnnotation } from './aof-annotation.ts';
import { AofParser } from './aof-parser.ts';
import { resumeStream } from './stream-facts.ts';

/** What a replay goes by. */
export interface ReplayOptions {
  readonly databases: Databases;
  readonly replayer: Replayer;
  readonly limits: RespLimits;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** Versions go by shard epochs, not by the time. */
  readonly isSharded: boolean;
  /** The node had this data set already: its stream, and its versions, stay as they are. */
  readonly isReload?: boolean;
}

/** The file is sound, and what should be before it is not there. */
export class MissingPart extends StreamError {}

/**
 * Applies the commands of one part of an append-only file, of a node or of a real redis-server, as its bytes come in. What is between MULTI
 * and EXEC is applied once EXEC is there. Where an annotation says which stream the commands are of, they go into the node's own too, which so
 * comes to the same end.
 *
 * What is said to others in the file has been said: no message is sent, and no event of keys.
 */
export class AofReplay {
  readonly #options: ReplayOptions;
  readonly #applier: StreamApplier;
  readonly #parser: AofParser;
  #unit: StreamUnit | null = null;
  /** Behind the last command that was parsed, and behind the last one that was applied with all that belongs to it. */
  #parsedTo: number;
  #appliedTo: number;
  #isBegun = false;
  /** Something has been applied that changes more than the database. */
  #hasData = false;
  /** The part says of which stream it is. */
  #isAnnotated = false;
  /** Commands parsed. */
  commands = 0;
  /** Something had no version of its own, and got one of this node. */
  gaveVersions = false;

  /** `offset`: where in the file the first command is. */
  constructor(options: ReplayOptions, offset: number) {
    const { databases, replayer, limits } = options;
    this.#options = options;
    this.#applier = new StreamApplier(databases, replayer);
    this.#parser = new AofParser(limits, (line, bytes) => this.#annotation(line, bytes));
    this.#parsedTo = this.#appliedTo = offset;
  }

  /** Up to where in the file there are whole commands, all of them applied. */
  get wholeTo(): number {
    return this.#appliedTo;
  }

  /** Where the command begins that is not whole, or not sound. */
  get stoppedAt(): number {
    return this.#parsedTo;
  }

  /** Whether the file may end here. */
  get isWhole(): boolean {
    return this.#unit === null && this.#parser.bufferedBytes === 0;
  }

  /** Whether commands wait for their EXEC. */
  get isInUnit(): boolean {
    return this.#unit !== null;
  }

  /** Whether commands were applied that no annotation stands before: the node is in nobody's stream then. */
  get isUnplaced(): boolean {
    return this.#hasData && !this.#isAnnotated;
  }

  /**
   * Applies what these bytes bring; they may be used for others when it returns. Throws RespProtocolError, StreamError or RdbFormatError
   * when they make no sense, at `stoppedAt`.
   */
  push(chunk: Buffer): void {
    const { data } = this.#options.databases;
    const { notifyMask } = data;
    const parser = this.#parser;
    data.notifyMask = 0;
    try {
      parser.push(chunk);
      while (parser.next()) {
        if (!this.#hasData) this.#begin(parser);
        if (this.#unit === null) this.#apply(parser);
        else this.#collect(parser, this.#unit);
        this.#parsedTo += parser.frameEnd - parser.frameStart;
        if (this.#unit === null) this.#appliedTo = this.#parsedTo;
      }
      parser.own();
    } finally {
      data.notifyMask = notifyMask;
    }
  }

  /** Without a word before it the first command is of a redis-server, in database 0; and this node gives versions. */
  #begin(parser: RequestParser): void {
    const { position } = this.#options.databases.data.log;
    if (!this.#isBegun && !this.#isAnnotated) position.database = 0;
    this.#isBegun = true;
    // A node may have to say the database of what follows before it says where that is.
    if (parser.equalsIgnoreCase(0, 'SELECT')) return;
    this.#hasData = true;
    if (this.#isAnnotated) return;
    this.#applier.isFromNode = false;
    this.#startVersions();
  }

  /** Versions that nobody says are above all that this node has handed out before. */
  #startVersions(): void {
    const { databases, isSharded, isReload, nowMs } = this.#options;
    this.gaveVersions = true;
    if (!isSharded && !isReload) databases.data.versions.startAtTime(nowMs);
  }

  #apply(parser: RequestParser): void {
    const asked = this.#applyOne(parser);
    if (asked === 'exec') throw new StreamError('an EXEC without a MULTI');
    if (asked === 'multi') this.#unit = new StreamUnit(parser);
    else this.#append(parser.buffer, parser.frameStart, parser.frameEnd);
  }

  #applyOne(parser: RequestParser): string {
    this.commands++;
    const isMessage = parser.equalsIgnoreCase(0, 'PUBLISH') || parser.equalsIgnoreCase(0, 'SPUBLISH');
    if (isMessage && !(this.#applier.isFromNode && isMetadata(parser))) return 'nothing';
    return this.#applier.apply(parser).kind;
  }

  #collect(parser: RequestParser, unit: StreamUnit): void {
    if (!unit.add(parser)) return;
    const bytes = unit.take();
    const frames = new RequestParser({ ...this.#options.limits, maxBufferedBytes: bytes.length });
    frames.push(bytes);
    while (frames.next()) this.#applyOne(frames);
    this.#unit = null;
    this.#append(bytes, 0, bytes.length);
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const { databases, isReload } = this.#options;
    if (this.#isAnnotated && !isReload) databases.data.log.append(buffer, start, end);
  }

  #annotation(line: string, bytes: number): void {
    const facts = readAnnotation(line);
    if (facts !== null && this.#unit === null) this.#goOnAt(facts);
    this.#parsedTo += bytes;
    if (this.#unit === null) this.#appliedTo = this.#parsedTo;
  }

  #goOnAt(facts: Annotation): void {
    const { databases, isReload } = this.#options;
    const { log, versions } = databases.data;
    const { position } = log;
    if (!isReload) this.#joinStream(facts);
    this.#isAnnotated = true;
    this.#applier.isFromNode = facts.saysVersions;
    if (!facts.saysVersions) this.#startVersions();
    // A command without a version where it should have one gets one above all that there are.
    const { high, low } = facts.version ?? versions;
    position.moveTo(high, low);
    if (facts.version === null) position.announce();
    position.database = facts.database;
    position.saysVersions = facts.saysVersions;
  }

  /** The node's own stream goes on there. */
  #joinStream(facts: Annotation): void {
    const { log } = this.#options.databases.data;
    const isPlaced = log.active && (this.#isAnnotated || !this.#hasData);
    const isThere = isPlaced && log.end === facts.offset;
    if (isPlaced && !isThere && log.replId === facts.replId) {
      const where = `${facts.offset} where ${log.end} is next`;
      throw new MissingPart(`the stream goes on at ${where}: a part of it is missing`);
    }
    if (!isThere) resumeStream(log, facts);
    // Who has the stream under its former name may still go on.
    else if (log.replId !== facts.replId) log.rename(facts.replId);
    if (facts.epoch > 0) log.epoch = facts.epoch;
  }
}
