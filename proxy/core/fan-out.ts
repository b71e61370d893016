import type { ErrorCode } from '../../lib/base/index.ts';
import { encodeCommand, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { errorReply, errorText, isErrorReply, plainError } from './frames.ts';
import { type AnsweredPart, Gather, sumOfIntegers } from './gather.ts';
import { joinPieces } from './large-frame.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';

/** Cursor values leave this much room for the shard: up to 1024 of them. */
const SHARD_BITS = 10n;
const SHARD_MASK = (1n << SHARD_BITS) - 1n;

/** Sends one frame to every shard and answers `parent` with what `merge` makes of the replies. */
export function toAllShards(
  router: Router,
  parent: Request,
  frame: Buffer,
  isWrite: boolean,
  merge: (parts: readonly AnsweredPart[]) => Buffer,
): void {
  const gather = new Gather(parent, merge);
  for (const route of router.routes) gather.send(router, route, frame, isWrite);
  gather.seal();
}

/** DBSIZE: the sum. */
export function mergeSizes(parts: readonly AnsweredPart[]): Buffer {
  return failureOf('DBSIZE', parts) ?? Buffer.from(`:${sumOfIntegers(parts)}\r\n`);
}

/** FLUSHALL and FLUSHDB, whichever is `command`: OK once every shard is flushed. */
export function mergeFlushes(command: string): (parts: readonly AnsweredPart[]) => Buffer {
  return (parts) => failureOf(command, parts) ?? Buffer.from('+OK\r\n');
}

/** KEYS: one array of everything. */
export function mergeArrays(parts: readonly AnsweredPart[]): Buffer {
  const failure = failureOf('KEYS', parts);
  if (failure) return failure;
  let count = 0;
  const pieces: Buffer[] = [];
  for (const { reply } of parts) {
    count += replyNumber(reply.bytes, reply.start);
    pieces.push(reply.bytes.subarray(replyLineEnd(reply.bytes, reply.start), reply.end));
  }
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...pieces]);
}

/**
 * SCAN goes through the shards one after the other. The client's cursor is the node's cursor times 1024 plus the number of the
 * shard, by name: a cursor stays good over a failover, since that renames no shard.
 */
export function scanShards(
  router: Router,
  parent: Request,
  cursor: bigint,
  options: readonly Buffer[],
): void {
  const routes = router.routes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const number = Number(cursor & SHARD_MASK);
  const route = routes[number];
  if (route === undefined) {
    parent.answerWith(plainError('ERR invalid cursor'));
    return;
  }
  const frame = encodeCommand('SCAN', cursor >> SHARD_BITS, ...options);
  const gather = new Gather(parent, ([{ reply }]) => {
    if (isErrorReply(reply.bytes, reply.start))
      return Buffer.from(reply.bytes.subarray(reply.start, reply.end));
    return withCursor(reply, number, routes.length);
  });
  gather.send(router, route, frame, false);
  gather.seal();
}

/** A SCAN cursor as clients send it; null when it is none. */
export function parseCursor(text: string): bigint | null {
  if (!/^\d{1,20}$/.test(text)) return null;
  const cursor = BigInt(text);
  return cursor < 1n << 64n ? cursor : null;
}

function withCursor(reply: Request, shard: number, shards: number): Buffer {
  const { bytes, start, end } = reply;
  const cursorAt = replyLineEnd(bytes, start);
  const textAt = replyLineEnd(bytes, cursorAt);
  const keysAt = textAt + replyNumber(bytes, cursorAt) + 2;
  const inner = BigInt(bytes.latin1Slice(textAt, keysAt - 2));
  let cursor = (inner << SHARD_BITS) | BigInt(shard);
  if (inner === 0n) cursor = shard + 1 < shards ? BigInt(shard + 1) : 0n;
  const text = cursor.toString();
  return Buffer.concat([Buffer.from(`*2\r\n$${text.length}\r\n${text}\r\n`), bytes.subarray(keysAt, end)]);
}

/** RANDOMKEY: asks the shards one after the other, from `first` on, until one has a key. */
export class RandomKey implements Sink {
  readonly #router: Router;
  readonly #parent: Request;
  #next: number;
  #left: number;

  constructor(router: Router, parent: Request, first: number) {
    this.#router = router;
    this.#parent = parent;
    this.#next = first;
    this.#left = router.routes.length;
    this.#ask();
  }

  ready(request: Request): void {
    joinPieces(request);
    const { bytes, start, end } = request;
    const isNull = bytes[start] === 0x5f || (bytes[start] === 0x24 && bytes[start + 1] === 0x2d);
    releaseRequest(request);
    if (isNull && this.#left > 0) this.#ask();
    else this.#parent.answer(bytes, start, end);
  }

  #ask(): void {
    const { routes } = this.#router;
    const route = routes[this.#next++ % routes.length];
    this.#left--;
    const request = acquireRequest();
    request.bytes = encodeCommand('RANDOMKEY');
    request.end = request.bytes.length;
    request.protocol = this.#parent.protocol;
    request.database = this.#parent.database;
    request.startedMs = this.#parent.startedMs;
    request.sink = this;
    this.#router.submit(request, route);
  }
}

/**
 * Null when every part succeeded; what all shards say alike, such as a syntax error; else an error that tells which shards failed, with
 * the code of the first, or UNKNOWN.
 */
function failureOf(command: string, parts: readonly AnsweredPart[]): Buffer | null {
  const failed = parts.filter(({ reply }) => isErrorReply(reply.bytes, reply.start));
  if (failed.length === 0) return null;
  const texts = failed.map(({ route, reply }) => ({
    shard: route.name,
    text: errorText(reply.bytes, reply.start, reply.end),
  }));
  if (failed.length === parts.length && texts.every(({ text }) => text === texts[0].text))
    return plainError(texts[0].text);
  const unknown = texts.some(({ text }) => text.startsWith('UNKNOWN '));
  const code = unknown ? 'UNKNOWN write outcome unknown:' : texts[0].text.split(' ', 1)[0];
  const details = texts.map(({ shard, text }) => `shard ${shard}: ${text}`).join('; ');
  return plainError(`${code} ${command} failed on ${failed.length} of ${parts.length} shards: ${details}`);
}

/** The answer while no ring is known. */
export function noRing(): Buffer {
  const code: ErrorCode = 'shard_down';
  return errorReply(code, 'this proxy has no ring yet; nothing was sent');
}
