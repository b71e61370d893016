import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { errorText, hasErrorCode, isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { capability } from '../engine/capability.ts';
import { type Answer, ERROR, LineAnswer, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { countNumber, isCounted, noArithmetic, routeOf } from './edit-command.ts';
import { secondsLeft, ttlOf } from './expiry.ts';
import { writeFlags } from './meta-answer.ts';
import { hasFlag, type MetaFlags, parseMeta, VAGUE_TEXTS } from './meta-flags.ts';
import type { MemcachedParser } from './protocol/index.ts';
import { bulkTextAt } from './reply-text.ts';
import { sendWords } from './send-words.ts';
import { ANY_VERSION, NO_VERSION } from './versions.ts';

const PLUS = 0x2b;
const LETTER_E = 0x45;

/** `md` */
export function runMetaDelete(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  if (parser.count < 2) return connection.say(ERROR);
  const meta = parseMeta(parser, 2, VAGUE_TEXTS);
  if (typeof meta === 'string') return connection.say(new LineAnswer(meta));
  const route = routeOf(connection, meta.key);
  if (route === null) return;
  const isStaling = hasFlag(meta, 'I');
  const isPlain = meta.cas === null && !isStaling;
  const refusal = isPlain ? null : capability(route, isStaling ? 'softTtl' : 'cas');
  if (refusal !== null) return connection.say(new LineAnswer(refusal.toMemcached()));
  const words = isPlain
    ? ['DEL']
    : isStaling
      ? staleWords(connection, meta)
      : ['RS.DEL', 'IFVERSION', meta.cas!];
  sendWords(connection, route, meta.key, words, new MetaDeleteAnswer(meta), true, nowMs);
}

function staleWords({ context }: MemcachedConnection, { cas, exptimes }: MetaFlags): string[] {
  const words = ['RS.MCSTALE'];
  if (cas !== null) words.push('IFVERSION', cas === ANY_VERSION ? NO_VERSION : cas);
  if (exptimes.T !== undefined)
    words.push('TTL', String(ttlOf(exptimes.T, context.router.env.clock.wallMs())));
  return words;
}

/** `ma` */
export function runMetaArithmetic(connection: MemcachedConnection, parser: MemcachedParser, nowMs: number) {
  if (parser.count < 2) return connection.say(ERROR);
  const meta = parseMeta(parser, 2, VAGUE_TEXTS);
  if (typeof meta === 'string') return connection.say(new LineAnswer(meta));
  if (!/^[ID+-]?$/.test(meta.mode))
    return connection.say(new LineAnswer('CLIENT_ERROR invalid mode for ma M token'));
  const route = routeOf(connection, meta.key);
  if (route === null) return;
  if (route.engine !== 'ringside') return connection.say(noArithmetic(route));
  sendWords(
    connection,
    route,
    meta.key,
    numberWords(connection, meta),
    new MetaNumberAnswer(meta),
    true,
    nowMs,
  );
}

function isDecrement({ mode }: MetaFlags): boolean {
  return mode === 'D' || mode === '-';
}

function numberWords({ context }: MemcachedConnection, meta: MetaFlags): string[] {
  const { delta, cas, initial, exptimes, tokens } = meta;
  const { N, T } = exptimes;
  const wallMs = context.router.env.clock.wallMs();
  const words = ['RS.MCINCR', delta];
  if (isDecrement(meta)) words.push('DECR');
  if (cas !== null) words.push('IFVERSION', cas);
  if (T !== undefined) words.push('TTL', String(ttlOf(T, wallMs)));
  if (N === undefined) return words;
  // Of two times to live the one that stands last counts.
  const flags = tokens.map((token) => token[0]);
  const isTouched = T !== undefined && flags.indexOf('T') > flags.indexOf('N');
  words.push('INIT', initial, String(ttlOf(isTouched ? T : N, wallMs)));
  return words;
}

class MetaDeleteAnswer implements Answer {
  readonly parts = null;
  readonly #meta: MetaFlags;

  constructor(meta: MetaFlags) {
    this.#meta = meta;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    counters.cmd_meta++;
    const code = deletedCode(request);
    if (code === null) {
      writeError(out, request);
      return;
    }
    if (code === 'HD') counters.delete_hits++;
    else counters.delete_misses++;
    if (code === 'HD' && this.#meta.isQuiet) return;
    out.text(code);
    writeFlags(out, this.#meta, {});
    out.text('\r\n');
  }
}

/** Null for an error. */
function deletedCode(request: Request): string | null {
  const { bytes, start, end } = request;
  if (isErrorReply(bytes, start)) {
    if (!hasErrorCode(bytes, start, 'PRECONDITION')) return null;
    return errorText(bytes, start, end).endsWith(' 0') ? 'NF' : 'EX';
  }
  if (bytes[start] === PLUS) return bytes[start + 1] === LETTER_E ? 'EX' : 'NF';
  // A count, or the version of what is stale now.
  return isCounted(request) ? 'HD' : 'NF';
}

class MetaNumberAnswer implements Answer {
  readonly parts = null;
  readonly #meta: MetaFlags;

  constructor(meta: MetaFlags) {
    this.#meta = meta;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    const { bytes, start } = request;
    counters.cmd_meta++;
    if (writeError(out, request)) return;
    const isRefused = bytes[start] === PLUS;
    const isMissing = isRefused && bytes[start + 1] !== LETTER_E;
    if (!isRefused || isMissing) countNumber(counters, isDecrement(this.#meta), isMissing);
    if (isRefused) {
      out.text(isMissing ? 'NF' : 'EX');
      writeFlags(out, this.#meta, {});
      out.text('\r\n');
    } else this.#writeNumber(out, bytes, start);
  }

  #writeNumber(out: AnswerWriter, bytes: Buffer, start: number): void {
    const valueAt = replyLineEnd(bytes, start);
    const versionAt = replyLineEnd(bytes, replyLineEnd(bytes, valueAt));
    const ttlAt = replyLineEnd(bytes, replyLineEnd(bytes, versionAt));
    const isCreated = replyNumber(bytes, replyLineEnd(bytes, ttlAt)) === 1;
    // As memcached: of a number that it made, flag q says nothing.
    if (this.#meta.isQuiet && !isCreated) return;
    const digits = bulkTextAt(bytes, valueAt);
    const isWanted = hasFlag(this.#meta, 'v');
    out.text(isWanted ? `VA ${digits.length}` : 'HD');
    const seconds = secondsLeft(replyNumber(bytes, ttlAt));
    writeFlags(out, this.#meta, {
      version: bulkTextAt(bytes, versionAt),
      secondsBefore: seconds,
      secondsAfter: seconds,
    });
    out.text(isWanted ? `\r\n${digits}\r\n` : '\r\n');
  }
}
