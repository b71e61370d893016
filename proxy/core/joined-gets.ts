import { mgetHead } from './frames.ts';
import { MissedShare } from './missed-share.ts';
import type { Output } from './output.ts';
import { Joined, type Request } from './request.ts';
import type { RequestQueue } from './request-queue.ts';

/** Fewer GETs cost more together than apart. */
const FEWEST = 4;
const MOST = 128;
/** `*2`, `$3` and `GET`, with their line ends: what comes before the key. */
const HEAD_BYTES = 13;
/**
 * GETs that leave for a node one behind the other, of whichever clients, go as one MGET: that costs a redis-server half of what they cost apart. Each has its place
 * in the order of replies, and an element of the MGET's reply takes it.
 *
 * Where an MGET has no value, GET may have an error: for a key that is no string. So a GET of which nothing came is sent once more, and answered with what comes
 * if that is an error. This is exact as long as the client has sent nothing else since the MGET that may change its key: whoever marks a GET
 * (`Joined.MAY`) sees to that. While many keys are missing, GETs go apart.
 *
 * One for each connection to a node.
 */
export class JoinedGets {
  /** Positions of the first GETs of what was sent together, oldest first, and how many there are. */
  readonly #starts: number[] = [];
  readonly #counts: number[] = [];
  readonly #share = new MissedShare();

  /** How many of the next requests to be sent are to be sent together; 0: the next one goes as it is. */
  next(queue: RequestQueue): number {
    if (this.#share.rests(1)) return 0;
    const count = queue.countNext(mayJoin, MOST);
    return count < FEWEST ? 0 : count;
  }

  /** Moves so many requests to the sent ones, as one MGET. */
  send(queue: RequestQueue, count: number, output: Output): void {
    this.#starts.push(queue.sentSeq);
    this.#counts.push(count);
    const head = mgetHead(count);
    output.addCopy(head, 0, head.length);
    for (let i = 0; i < count; i++) {
      const request = queue.moveToSent()!;
      request.joined = Joined.YES;
      output.addCopy(request.bytes, request.start + HEAD_BYTES, request.end);
    }
    this.#share.asked(count);
  }

  /** How many GETs the reply belongs to that comes for this position, if it is that of an MGET; else 0. */
  countAt(seq: number): number {
    return this.#starts.length > 0 && this.#starts[0] === seq ? this.#counts[0] : 0;
  }

  /** The reply to the oldest MGET has come. */
  shift(): void {
    this.#starts.shift();
    this.#counts.shift();
  }

  /** An MGET had no value for a GET. */
  missed(): void {
    this.#share.missed(1);
  }

  /** A node has refused an MGET for what it is. */
  refused(): void {
    this.#share.giveUp();
  }

  /** The connection is gone. */
  clear(): void {
    this.#starts.length = 0;
    this.#counts.length = 0;
    this.#share.clear();
  }
}

function mayJoin({ joined }: Request): boolean {
  return joined === Joined.MAY;
}
