import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { MetaState } from '../../lib/commands/index.ts';
import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import { capability } from '../engine/capability.ts';
import { type Answer, BAD_FORMAT, ERROR, LineAnswer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { routeOf } from './edit-command.ts';
import { secondsLeft, ttlOf } from './expiry.ts';
import { isMiss, writeValue } from './item.ts';
import { decodeKey, keyOf, type MemcachedKey } from './key.ts';
import { type MetaFields, writeFlags } from './meta-answer.ts';
import { hasFlag, type MetaFlags, type MetaTexts, parseMeta } from './meta-flags.ts';
import { type MemcachedParser, wordIs } from './protocol/index.ts';
import { bulkTextAt } from './reply-text.ts';
import { sendWords } from './send-words.ts';

const DOLLAR = 0x24;
/** As long as a lease can be (`docs/protocol.md`): what is asked for without end. */
const LONGEST_MS = 3_600_000;
const TEXTS: MetaTexts = { tooMany: 'CLIENT_ERROR options flags are too long', badFlag: null };
/** Flags of mg that a Redis has an answer to. */
const PLAIN_FLAGS = 'bkOqsvufPL';

/** What RS.MCMETA and RS.MCTOUCH say of an item. */
interface MetaItem {
  readonly version: string;
  readonly flags: number;
  /** Milliseconds, -1 for ever. */
  readonly ttlMs: number;
  readonly state: number;
  readonly bytes: number;
  readonly idleSeconds: number;
  /** Where the value is in the reply. */
  readonly valueAt: number;
}

/** `mg` */
export function runMetaGet(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  if (parser.count < 2) return connection.say(ERROR);
  const meta = parseMeta(parser, 2, TEXTS);
  if (typeof meta === 'string') return connection.say(new LineAnswer(meta));
  const route = routeOf(connection, meta.key);
  if (route === null) return;
  const words =
    route.engine === 'ringside' ? wordsFor(connection, meta) : plainWordsFor(connection, meta, route);
  if (words === null) return;
  const isTouch = words[0] === 'RS.MCTOUCH';
  sendWords(
    connection,
    route,
    meta.key,
    words,
    new MetaGetAnswer(meta, touchedSeconds(connection, meta)),
    isTouch,
    nowMs,
  );
}

/** `me`: what is known of an item, for people. */
export function runMetaDebug(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  const given = parser.count < 2 ? null : keyOf(parser, 1);
  if (given === null) return connection.say(BAD_FORMAT);
  const isBinary = parser.count > 2 && wordIs(parser, 2, 'b');
  const key = isBinary ? decodeKey(given) : given;
  if (key === null) return connection.say(BAD_FORMAT);
  const route = routeOf(connection, key);
  if (route === null) return;
  const refusal = capability(route, 'cas');
  if (refusal !== null) return connection.say(new LineAnswer(refusal.toMemcached()));
  const words = ['RS.MCMETA', 'NOVALUE', 'QUIET'];
  sendWords(connection, route, key, words, new MetaDebugAnswer(given, key), false, nowMs);
}

/** Command and arguments behind the key. */
function wordsFor({ context }: MemcachedConnection, meta: MetaFlags): string[] {
  const { T, N, R } = meta.exptimes;
  const wallMs = context.router.env.clock.wallMs();
  const words = T === undefined ? ['RS.MCMETA'] : ['RS.MCTOUCH', String(ttlOf(T, wallMs))];
  if (!hasFlag(meta, 'v')) words.push('NOVALUE');
  if (hasFlag(meta, 'u')) words.push('QUIET');
  if (hasFlag(meta, 'h') || hasFlag(meta, 'l')) words.push('TRACK');
  // A lease that is over at once is one for the shortest time.
  if (N !== undefined) words.push('MISS', String(Math.max(1, ttlOf(N, wallMs) || LONGEST_MS)));
  const belowMs = ttlOf(R ?? 0, wallMs);
  if (belowMs > 0) words.push('BELOW', String(belowMs));
  return words;
}

/** For an engine that is a Redis; null when the client was told that it cannot do it. */
function plainWordsFor(connection: MemcachedConnection, meta: MetaFlags, route: ShardRoute): string[] | null {
  const other = meta.tokens.find((token) => !PLAIN_FLAGS.includes(token[0]));
  if (other === undefined) return ['GET'];
  const refusal = capability(route, 'NR'.includes(other[0]) ? 'leases' : 'cas')!;
  connection.say(new LineAnswer(refusal.toMemcached()));
  return null;
}

/** What flag t says behind a flag T. */
function touchedSeconds({ context }: MemcachedConnection, { exptimes }: MetaFlags): string {
  const ttlMs = exptimes.T === undefined ? 0 : ttlOf(exptimes.T, context.router.env.clock.wallMs());
  return ttlMs === 0 ? '-1' : secondsLeft(Math.max(0, ttlMs));
}

/** Of a reply that tells of an item. */
function itemOf(bytes: Buffer, start: number): MetaItem {
  const versionAt = replyLineEnd(bytes, start);
  const flagsAt = replyLineEnd(bytes, replyLineEnd(bytes, versionAt));
  const ttlAt = replyLineEnd(bytes, flagsAt);
  const stateAt = replyLineEnd(bytes, ttlAt);
  const bytesAt = replyLineEnd(bytes, stateAt);
  const idleAt = replyLineEnd(bytes, bytesAt);
  return {
    version: bulkTextAt(bytes, versionAt),
    flags: replyNumber(bytes, flagsAt),
    ttlMs: replyNumber(bytes, ttlAt),
    state: replyNumber(bytes, stateAt),
    bytes: replyNumber(bytes, bytesAt),
    idleSeconds: replyNumber(bytes, idleAt),
    valueAt: replyLineEnd(bytes, idleAt),
  };
}

class MetaGetAnswer implements Answer {
  readonly parts = null;
  readonly #meta: MetaFlags;
  readonly #touchedSeconds: string;

  constructor(meta: MetaFlags, touched: string) {
    this.#meta = meta;
    this.#touchedSeconds = touched;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start } = request;
    counters.cmd_meta++;
    if (writeError(out, request)) return;
    this.#count(counters, !isMiss(bytes, start));
    if (isMiss(bytes, start)) {
      if (this.#meta.isQuiet) return;
      out.text('EN');
      writeFlags(out, this.#meta, {});
      out.text('\r\n');
    } else if (bytes[start] === DOLLAR) this.#writePlain(out, request);
    else this.#writeItem(out, request, itemOf(bytes, start));
  }

  #count(counters: Counters, isHit: boolean): void {
    if (this.#meta.exptimes.T !== undefined) {
      counters.cmd_touch++;
      counters[isHit ? 'touch_hits' : 'touch_misses']++;
      return;
    }
    counters.cmd_get++;
    counters[isHit ? 'get_hits' : 'get_misses']++;
  }

  /** A value alone, of a Redis. */
  #writePlain(out: AnswerWriter, request: Request): void {
    const { bytes, start } = request;
    const length = replyNumber(bytes, start);
    this.#writeHead(out, length, { flags: 0, bytes: length });
    out.text('\r\n');
    if (hasFlag(this.#meta, 'v')) writeRest(out, request, start);
  }

  #writeItem(out: AnswerWriter, request: Request, item: MetaItem): void {
    const { state, ttlMs } = item;
    this.#writeHead(out, item.bytes, {
      version: item.version,
      flags: item.flags,
      bytes: item.bytes,
      idleSeconds: item.idleSeconds,
      wasRead: (state & MetaState.READ) !== 0,
      secondsBefore: secondsLeft(ttlMs),
      secondsAfter: this.#touchedSeconds,
    });
    if ((state & MetaState.SENT) !== 0) out.text(' Z');
    if ((state & MetaState.STALE) !== 0) out.text(' X');
    if ((state & MetaState.WON) !== 0) out.text(' W');
    out.text('\r\n');
    if (hasFlag(this.#meta, 'v')) writeRest(out, request, item.valueAt);
  }

  #writeHead(out: AnswerWriter, length: number, fields: MetaFields): void {
    if (hasFlag(this.#meta, 'v')) {
      out.text('VA ');
      out.number(length);
    } else out.text('HD');
    writeFlags(out, this.#meta, fields);
  }
}

function writeRest(out: AnswerWriter, { bytes, end, rest }: Request, valueAt: number): void {
  writeValue(out, bytes, valueAt, replyLineEnd(bytes, valueAt), end, rest);
}

class MetaDebugAnswer implements Answer {
  readonly parts = null;
  readonly #given: MemcachedKey;
  readonly #key: MemcachedKey;

  constructor(given: MemcachedKey, key: MemcachedKey) {
    this.#given = given;
    this.#key = key;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start } = request;
    counters.cmd_meta++;
    if (isErrorReply(bytes, start)) {
      writeError(out, request);
      return;
    }
    if (isMiss(bytes, start)) {
      out.text('EN\r\n');
      return;
    }
    const item = itemOf(bytes, start);
    // memcached 1.6.18 counts the other way round: seconds until then are negative.
    const exp = item.ttlMs < 0 ? -1 : -Math.ceil(item.ttlMs / 1000);
    const fetched = (item.state & MetaState.READ) !== 0 ? 'yes' : 'no';
    const size = item.bytes + this.#key.end - this.#key.start;
    out.text('ME ');
    out.bytes(this.#given.buffer, this.#given.start, this.#given.end);
    out.text(
      ` exp=${exp} la=${item.idleSeconds} cas=${item.version} fetch=${fetched} cls=1 size=${size}\r\n`,
    );
  }
}
