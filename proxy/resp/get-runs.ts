import { mgetHead } from '../core/frames.ts';
import { MissedShare } from '../core/missed-share.ts';
import type { Router } from '../core/router.ts';
import { copyRange, Slab } from '../core/slab.ts';
import { GET } from './client-gets.ts';
import type { RespConnection } from './connection.ts';
import { GetRun } from './get-run.ts';
import { maySendTogether } from './together.ts';

/** Fewer cost more together than apart. */
const FEWEST = 4;
const MOST = 256;
/** A GET of a key without a byte. */
const SHORTEST_GET = 19;
const MOST_BYTES = 64 * 1024;
/** With longer values there is nothing to gain. */
const MOST_VALUE_BYTES = 1024;
/** Of `*2`, `$3` and `GET`, where the first and the last begin. */
const COUNT_AT = 1;
const NAME_AT = 8;
const TWO = 0x32;
const G = 0x47;
const LETTER_MASK = 0xdf;

const slab = new Slab();

/**
 * GETs that have come of a client together and alone: each shard is sent one MGET of all of its keys, and what it brings is passed on as it lies. Nothing is made per GET. The
 * client cannot tell: nothing else of it is under way, and nothing that it sends meanwhile is looked at before all are answered.
 *
 * One instance serves all clients of a thread.
 */
export class GetRuns {
  readonly #router: Router;
  readonly #share = new MissedShare();

  constructor(router: Router) {
    this.#router = router;
  }

  /** Whether it looks as if GETs had come of the client that may go together. */
  suits(connection: RespConnection): boolean {
    const { parser } = connection;
    const { input, head, filled } = parser;
    if (filled - head < FEWEST * SHORTEST_GET || filled - head > MOST_BYTES || !parser.mayPass) return false;
    if (input[head + COUNT_AT] !== TWO || (input[head + NAME_AT] & LETTER_MASK) !== G) return false;
    if (connection.usualReplyBytes > MOST_VALUE_BYTES || !connection.runs.isDue()) return false;
    return maySendTogether(connection, this.#router);
  }

  /** Takes all that has come of the client, if it is GETs, `most` at most; or nothing. */
  take(connection: RespConnection, nowMs: number, most: number): boolean {
    const { parser } = connection;
    const { input, head: start, filled: end } = parser;
    const router = this.#router;
    const sorter = router.ring!.sorter;
    const count = sorter.sortGets(input, start, end);
    const { watch } = connection.context;
    if (count < FEWEST || count > Math.min(most, MOST, watch.quiet) || this.#share.rests(count)) return false;
    const { routes } = router;
    const { partCount } = sorter;
    for (let part = 0; part < partCount; part++)
      if (!router.hasRoom(routes[sorter.shardOf(part)], connection.protocol, count)) return false;
    watch.quiet -= count;
    connection.commandId = GET;
    this.#share.asked(count);
    const run = new GetRun({
      router,
      connection,
      share: this.#share,
      buffer: input,
      start,
      end,
      count,
      nowMs,
    });
    if (partCount > 1) run.owners = sorter.places.slice(0, count);
    sorter.group();
    for (let part = 0; part < partCount; part++) {
      const keys = sorter.countOf(part);
      const head = mgetHead(keys);
      const from = slab.reserve(head.length + sorter.bytesOf(part));
      const to = sorter.copy(part, slab.bytes, copyRange(head, 0, head.length, slab.bytes, from));
      run.send(routes[sorter.shardOf(part)], slab.bytes, from, to, keys);
    }
    parser.pass(end - start);
    run.seal();
    connection.holdLater();
    return true;
  }
}
