import type { ErrorCode } from '../../lib/base/index.ts';
import { encodeCommand, replyLineEnd } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { errorReply, errorText, isErrorReply, plainError } from './frames.ts';
import { type AnsweredPart, countOf, Gather, integerOf, type Merge, sumOfIntegers } from './gather.ts';
import { joinPieces } from './large-frame.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from './request.ts';
import type { Router } from './router.ts';

const ARRAY = 0x2a;
const INTEGER = 0x3a;

/** Sends one frame to every shard and answers `parent` with what `merge` makes of the replies. */
export function toAllShards(
  router: Router,
  parent: Request,
  frame: Buffer,
  isWrite: boolean,
  merge: Merge,
): void {
  const gather = Gather.merging(parent, merge);
  for (const route of router.routes) gather.send(router, route, frame, isWrite);
  gather.seal();
}

/** What all shards together answer, by what the table says of the command's reply. */
export function mergeOf({ word, tips }: CommandSpec): Merge {
  const combine = tips.includes('response_policy:agg_sum') ? mergeSums : mergeAlike;
  return (parts) => failureOf(word, parts) ?? combine(parts);
}

const mergeSums: Merge = (parts) => Buffer.from(`:${sumOfIntegers(parts)}\r\n`);

/** Arrays become one; of numbers the least counts, of anything else what the first shard says. */
const mergeAlike: Merge = (parts) => {
  const { bytes, start, end } = parts[0].reply;
  if (bytes[start] === ARRAY) return mergeArrays(parts);
  if (bytes[start] === INTEGER) return mergeLeast(parts);
  return Buffer.from(bytes.subarray(start, end));
};

function mergeLeast(parts: readonly AnsweredPart[]): Buffer {
  return Buffer.from(`:${Math.min(...parts.map(integerOf))}\r\n`);
}

function mergeArrays(parts: readonly AnsweredPart[]): Buffer {
  let count = 0;
  const pieces: Buffer[] = [];
  for (const part of parts) {
    const { reply } = part;
    count += countOf(part);
    pieces.push(reply.bytes.subarray(replyLineEnd(reply.bytes, reply.start), reply.end));
  }
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...pieces]);
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
