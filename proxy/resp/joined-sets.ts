import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { acquireSplit, type KeyArgs } from '../core/key-split.ts';
import { acquireRequest } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { copyRange, Slab } from '../core/slab.ts';
import type { RespConnection } from './connection.ts';
import { MOST_SETS, SetBatch, type SetFrames } from './set-batch.ts';
import { maySendTogether } from './together.ts';

/** Fewer cost more together than apart. */
const FEWEST = 4;
/** Longer commands go as they came: there is nothing to gain. */
const MOST_BYTES = 1024;
/** The command, its key and its value. */
const WORDS = 3;
const LETTER_MASK = 0xdf;
const LINE_END_BYTES = 2;

const { id: SET, word: NAME } = commandTable.get('SET')!;
const TOGETHER = 'MSET';
const slab = new Slab();

/**
 * SETs without options that have come of a client together and alone: each shard is sent one MSET of all of its keys, which costs it and the proxy less. The client cannot tell:
 * nothing else of it is under way, nothing that it sends meanwhile is looked at before all are answered, and SETs of an MSET that failed are sent as they came.
 *
 * One instance serves all clients of a thread.
 */
export class JoinedSets {
  readonly #router: Router;
  #buffer: Buffer = Buffer.alloc(0);
  #count = 0;
  /** Where each begins, its key begins and ends, and it ends. */
  readonly #starts = new Int32Array(MOST_SETS);
  readonly #keyStarts = new Int32Array(MOST_SETS);
  readonly #keyEnds = new Int32Array(MOST_SETS);
  readonly #ends = new Int32Array(MOST_SETS);
  /** Where what follows the name begins. */
  readonly #argsStarts = new Int32Array(MOST_SETS);

  constructor(router: Router) {
    this.#router = router;
  }

  /** Whether SETs that have just come of this client may go together. */
  mayJoin(connection: RespConnection): boolean {
    return maySendTogether(connection, this.#router);
  }

  /** Takes the SETs that have come, `most` at most, up to the first command that is none. True: that one is in the parser, and is to be run. */
  take(connection: RespConnection, nowMs: number, most: number): boolean {
    const { parser, context } = connection;
    const { watch } = context;
    try {
      while (this.#count < Math.min(most, MOST_SETS) && watch.quiet > 0) {
        if (!parser.next()) {
          if (parser.bufferedBytes === 0 && this.#count >= FEWEST) this.#sendTogether(connection, nowMs);
          return false;
        }
        if (!this.#adds(parser)) {
          if (this.#count === 0) connection.joining.rest();
          return true;
        }
        watch.quiet--;
      }
      return false;
    } finally {
      this.#sendApart(connection, nowMs);
    }
  }

  #adds(parser: RequestParser): boolean {
    if (parser.count !== WORDS || parser.isInline || !isSet(parser)) return false;
    const { frameStart, frameEnd, buffer } = parser;
    if (frameEnd - frameStart > MOST_BYTES || (this.#count > 0 && buffer !== this.#buffer)) return false;
    const i = this.#count++;
    this.#buffer = buffer;
    this.#starts[i] = frameStart;
    this.#argsStarts[i] = parser.end(0) + LINE_END_BYTES;
    this.#keyStarts[i] = parser.start(1);
    this.#keyEnds[i] = parser.end(1);
    this.#ends[i] = frameEnd;
    return true;
  }

  #sendApart(connection: RespConnection, nowMs: number): void {
    const count = this.#count;
    this.#count = 0;
    const router = this.#router;
    for (let i = 0; i < count; i++) {
      const request = acquireRequest();
      request.bytes = this.#buffer;
      request.start = this.#starts[i];
      request.end = this.#ends[i];
      request.isWrite = true;
      request.keyIndex = 1;
      request.startedMs = nowMs;
      connection.commandId = SET;
      connection.append(request);
      router.submit(request, router.routeOf(this.#buffer, this.#keyStarts[i], this.#keyEnds[i]));
    }
  }

  /** Sends nothing when a shard is in trouble, or has no room for all: then each is to be dealt with for itself. */
  #sendTogether(connection: RespConnection, nowMs: number): void {
    const router = this.#router;
    const count = this.#count;
    const frame = this.#encode();
    const split = acquireSplit();
    split.sort(router, frame, 1, 2);
    const { routes } = split;
    const { protocol } = connection;
    if (!routes.every((route) => router.hasRoom(route, protocol, count))) {
      split.release();
      return;
    }
    const frames = this.#frames();
    this.#count = 0;
    connection.commandId = SET;
    const batch = new SetBatch({ router, connection, frames, nowMs });
    if (routes.length === 1) batch.send(routes[0], frame.buffer, frame.start0, frame.end0, count);
    else {
      split.encode(frame, 1, 2);
      batch.owners = split.owners.slice(0, count);
      for (const [i, route] of routes.entries())
        batch.send(route, split.bytes, split.starts[i], split.ends[i], split.counts[i]);
    }
    split.release();
    batch.seal();
    connection.holdLater();
  }

  #frames(): SetFrames {
    const count = this.#count;
    return {
      buffer: this.#buffer,
      starts: this.#starts.slice(0, count),
      keyStarts: this.#keyStarts.slice(0, count),
      keyEnds: this.#keyEnds.slice(0, count),
      ends: this.#ends.slice(0, count),
    };
  }

  /** All of them as one MSET, `buffer[start0, end0)`. */
  #encode(): KeyArgs & { readonly start0: number; readonly end0: number } {
    const count = this.#count;
    const head = `*${1 + 2 * count}\r\n$${TOGETHER.length}\r\n${TOGETHER}\r\n`;
    let bytes = head.length;
    for (let i = 0; i < count; i++) bytes += this.#ends[i] - this.#argsStarts[i];
    const start0 = slab.reserve(bytes);
    const buffer = slab.bytes;
    let end0 = start0 + buffer.latin1Write(head, start0);
    const nameEnd = end0 - LINE_END_BYTES;
    /** How far the bytes of each were moved. */
    const moved = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      moved[i] = end0 - this.#argsStarts[i];
      end0 = copyRange(this.#buffer, this.#argsStarts[i], this.#ends[i], buffer, end0);
    }
    const keyStart = (i: number) => this.#keyStarts[i] + moved[i];
    const keyEnd = (i: number) => this.#keyEnds[i] + moved[i];
    const valueEnd = (i: number) => this.#ends[i] - LINE_END_BYTES + moved[i];
    return {
      ...{ buffer, start0, end0, count: 1 + 2 * count },
      // Nobody asks where values begin.
      start: (arg) => (arg === 0 ? nameEnd - TOGETHER.length : keyStart((arg - 1) >> 1)),
      end: (arg) => {
        if (arg === 0) return nameEnd;
        return arg % 2 === 1 ? keyEnd((arg - 1) >> 1) : valueEnd((arg - 1) >> 1);
      },
    };
  }
}

function isSet(parser: RequestParser): boolean {
  const at = parser.start(0);
  if (parser.end(0) - at !== NAME.length) return false;
  const { buffer } = parser;
  for (let i = 0; i < NAME.length; i++)
    if ((buffer[at + i] & LETTER_MASK) !== NAME.charCodeAt(i)) return false;
  return true;
}
