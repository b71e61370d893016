import type { Output } from './output.ts';
import { Joined, type Request } from './request.ts';
import type { RequestQueue } from './request-queue.ts';

/** Fewer GETs cost more together than apart. */
const FEWEST = 4;
const MOST = 128;
/** `*2`, `$3` and `GET`, with their line ends: what comes before the key. */
const HEAD_BYTES = 13;
/** So many GETs tell how many of them ask for what is missing. */
const SAMPLE = 512;
/** More than every sixteenth is too many: each of those is asked for twice. */
const MISSED_SHARE = 1 / 16;
const SHORTEST_REST = 16 * SAMPLE;
const LONGEST_REST = 128 * SHORTEST_REST;

const HEADS = Array.from({ length: MOST + 1 }, (_, count) =>
  Buffer.from(`*${count + 1}\r\n$4\r\nMGET\r\n`, 'latin1'),
);

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
  #asked = 0;
  #missed = 0;
  /** GETs that are to go apart before it is tried again. */
  #rest = 0;
  #nextRest = SHORTEST_REST;

  /** How many of the next requests to be sent are to be sent together; 0: the next one goes as it is. */
  next(queue: RequestQueue): number {
    if (this.#rest > 0) {
      this.#rest--;
      return 0;
    }
    const count = queue.countNext(mayJoin, MOST);
    return count < FEWEST ? 0 : count;
  }

  /** Moves so many requests to the sent ones, as one MGET. */
  send(queue: RequestQueue, count: number, output: Output): void {
    this.#starts.push(queue.sentSeq);
    this.#counts.push(count);
    const head = HEADS[count];
    output.addCopy(head, 0, head.length);
    for (let i = 0; i < count; i++) {
      const request = queue.moveToSent()!;
      request.joined = Joined.YES;
      output.addCopy(request.bytes, request.start + HEAD_BYTES, request.end);
    }
    this.#asked += count;
    if (this.#asked >= SAMPLE) this.#judge();
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
    this.#missed++;
  }

  /** A node has refused an MGET for what it is. */
  refused(): void {
    this.#rest = Number.POSITIVE_INFINITY;
  }

  /** The connection is gone. */
  clear(): void {
    this.#starts.length = 0;
    this.#counts.length = 0;
    this.#rest = 0;
  }

  #judge(): void {
    if (this.#missed <= this.#asked * MISSED_SHARE) {
      this.#nextRest = Math.max(SHORTEST_REST, this.#nextRest / 2);
    } else {
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(LONGEST_REST, 2 * this.#nextRest);
    }
    this.#asked = 0;
    this.#missed = 0;
  }
}

function mayJoin({ joined }: Request): boolean {
  return joined === Joined.MAY;
}
