import { errorCatalogue } from '../../lib/base/index.ts';
import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import { ANSWER_MS } from '../cache/index.ts';
import type { Keyspace } from '../keyspace.ts';
import type { CacheOptions } from './cache-options.ts';
import { type CommandContext, NOT_AN_INTEGER } from './command.ts';

const REUSED = errorCatalogue.idempotency_key_reused.resp;
const ERROR_TYPE = '-';
/** Refusals that are answers: they say how things were, and a repetition must not find them otherwise. */
const KEPT_ERROR = '-PRECONDITION ';

/**
 * Runs a write and keeps what it answers, if it is to be done once; or writes what the same write was answered before, and nothing happens.
 * What did not even begin, for lack of memory or by an older fencing token, may be tried again.
 */
export function once(keyspace: Keyspace, options: CacheOptions, reply: RespWriter, run: () => void): void {
  if (options.once === null) {
    run();
    return;
  }
  const { name, digest } = options.once;
  const known = keyspace.data.cache.answers.find(nameIn(keyspace, name), keyspace.nowMs);
  if (known !== undefined && known.digest !== digest) {
    reply.error(REUSED);
    return;
  }
  if (known !== undefined) {
    write(known.reply, reply);
    // The first answer may have been held back: this one waits for followers and disk as that did.
    log(keyspace, name, digest, known.reply, known.untilMs);
    return;
  }
  const { length } = reply;
  run();
  const text = reply.textSince(length);
  if (text.startsWith(ERROR_TYPE) && !text.startsWith(KEPT_ERROR)) return;
  const untilMs = keyspace.nowMs + ANSWER_MS;
  keyspace.data.cache.answers.keep(nameIn(keyspace, name), digest, text, untilMs);
  log(keyspace, name, digest, text, untilMs);
}

/** RS.ANSWER name digest reply unix-time-milliseconds: the leader has answered a write that is to be done once. */
export function answer({ keyspace }: CommandContext, args: Args, reply: RespWriter) {
  const untilMs = args.integer(4);
  if (untilMs === null) return reply.error(NOT_AN_INTEGER);
  const { answers } = keyspace.data.cache;
  answers.keep(nameIn(keyspace, args.latin1(1)), args.latin1(2), args.latin1(3), untilMs);
  keyspace.data.dirty++;
  reply.ok();
}

/** Names are one database's. */
function nameIn({ index }: Keyspace, name: string): string {
  return `${index} ${name}`;
}

function log(keyspace: Keyspace, name: string, digest: string, reply: string, untilMs: number): void {
  keyspace.data.dirty++;
  keyspace.logCommand(['RS.ANSWER', name, digest, reply, String(untilMs)]);
}

/** Writes an answer that is kept: an error counts as one. */
function write(text: string, reply: RespWriter): void {
  if (text.startsWith(ERROR_TYPE)) {
    reply.error(text.slice(1, -2));
    return;
  }
  const bytes = Buffer.from(text, 'latin1');
  reply.raw(bytes, 0, bytes.length);
}
