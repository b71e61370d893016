import { copyWords, MOST_WORD_BYTES, slabMemory, viewOf } from '../../lib/base/index.ts';
import { FramesAhead, type RequestParser } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import type { KeptValue, NearPort } from '../core/near-port.ts';
import { acquireRequest, type Request, RequestState } from '../core/request.ts';
import { copyRange } from '../core/slab.ts';
import type { RespConnection } from './connection.ts';

const GET = commandTable.get('GET')!.id;
const LETTER_MASK = 0xdf;
const SLAB_BYTES = 256 * 1024;
/** Longer replies go the way of all others. */
const MAX_BYTES = 16 * 1024;
const NULL_2 = wholeOf('$-1\r\n');
const NULL_3 = wholeOf('_\r\n');

/**
 * Answers GETs of what the near cache keeps, straight from their bytes: one request, answered from the beginning, stands for all that come one behind
 * the other. One instance serves all clients of a thread: `answersRun`, `expect`, `answers`, `answersRun`, …, `finish`, `forget` within one function.
 */
export class NearReads {
  readonly #near: NearPort;
  readonly #frames = new FramesAhead();
  #slab: Buffer = Buffer.alloc(0);
  /** Of `#slab`. */
  #slabView = viewOf(this.#slab);
  /** Where the replies lie that no request holds yet, and how many they are. */
  #start = 0;
  #end = 0;
  #count = 0;
  /** Requests whose replies lie in `#slab` and were not handed to the system. */
  #lent = 0;

  constructor(near: NearPort) {
    this.#near = near;
  }

  /** Answers as many GETs as it can of those that come next, and takes them from the parser; at most so many. Returns how many; the client is as for `answers`. */
  answersRun(connection: RespConnection, most: number, nowMs: number): number {
    const { parser } = connection;
    if (!parser.mayPass) return 0;
    const { input, head, filled } = parser;
    const run = this.#near.answerRun(input, head, filled, most, nowMs);
    if (run === null) return 0;
    parser.pass(run.inputBytes);
    this.#reserve(connection, run.end - run.start, nowMs);
    this.#end = copyRange(run.bytes, run.start, run.end, this.#slab, this.#end);
    this.#count += run.commands;
    return run.commands;
  }

  /** The commands that come next have come together: reads what looking for their keys will need. */
  expect(parser: RequestParser): void {
    if (parser.scanAhead(this.#frames)) this.#near.lookAhead(this.#frames);
  }

  /**
   * Answers the command in `args` if it is a GET of a key that is kept; the client is in database 0 and in no mode. Else the command goes its usual way, as
   * the next thing that happens.
   */
  answers(connection: RespConnection, args: RequestParser, nowMs: number): boolean {
    if (args.count !== 2 || !isGet(args)) return false;
    const found = this.#near.look(args.buffer, args.start(1), args.end(1), nowMs, true);
    if (found === null) return false;
    return this.#add(connection, found.end === found.start ? nullIn(connection.protocol) : found, nowMs);
  }

  /** Whether the reply lies in memory that is used again once `written` says so. */
  lent(request: Request): boolean {
    return request.bytes === this.#slab;
  }

  /** So many requests that `lent` was true of were handed to the system whole: nobody reads their memory any more. To be called in the same turn. */
  written(requests: number): void {
    this.#lent -= requests;
  }

  /** No more commands of this client are taken for now. */
  forget(parser: RequestParser): void {
    parser.forgetAhead(this.#frames);
    this.#near.forgetInput();
  }

  /** Puts the replies since the last time into the order of the client's. */
  finish(connection: RespConnection, nowMs: number): void {
    if (this.#count === 0) return;
    const request = acquireRequest();
    request.bytes = this.#slab;
    request.start = this.#start;
    request.end = this.#end;
    request.times = this.#count;
    request.startedMs = nowMs;
    request.state = RequestState.READY;
    this.#start = this.#end;
    this.#count = 0;
    this.#lent++;
    connection.commandId = GET;
    connection.append(request);
    connection.ready(request, 0);
  }

  #add(connection: RespConnection, { bytes, view, start, end }: KeptValue, nowMs: number): boolean {
    const length = end - start;
    if (length > MAX_BYTES) return false;
    this.#reserve(connection, length, nowMs);
    if (view !== null && length <= MOST_WORD_BYTES) {
      copyWords(view, start, length, this.#slabView, this.#end);
      this.#end += length;
    } else {
      this.#end = copyRange(bytes, start, end, this.#slab, this.#end);
    }
    this.#count++;
    return true;
  }

  /** Makes room for so many bytes of replies in `#slab`, from `#end` on. */
  #reserve(connection: RespConnection, length: number, nowMs: number): void {
    if (this.#lent === 0 && this.#count === 0) {
      // It lies in the processor's cache.
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#end + length > this.#slab.length) {
      this.finish(connection, nowMs);
      this.#slab = slabMemory(SLAB_BYTES);
      this.#slabView = viewOf(this.#slab);
      this.#start = 0;
      this.#end = 0;
      this.#lent = 0;
    }
  }
}

function nullIn(protocol: 2 | 3): KeptValue {
  return protocol === 2 ? NULL_2 : NULL_3;
}

function isGet(args: RequestParser): boolean {
  const at = args.start(0);
  if (args.end(0) - at !== 3) return false;
  const { buffer } = args;
  return (
    (buffer[at] & LETTER_MASK) === 0x47 &&
    (buffer[at + 1] & LETTER_MASK) === 0x45 &&
    (buffer[at + 2] & LETTER_MASK) === 0x54
  );
}

function wholeOf(text: string): KeptValue {
  const bytes = Buffer.from(text);
  return { bytes, view: null, start: 0, end: bytes.length };
}
