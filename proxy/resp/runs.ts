import { commandTable } from '../../lib/commands/index.ts';
import { mgetHead, msetHead } from '../core/frames.ts';
import { MissedShare } from '../core/missed-share.ts';
import type { Router } from '../core/router.ts';
import { copyRange, Slab } from '../core/slab.ts';
import type { RespConnection } from './connection.ts';
import { GetRun } from './get-run.ts';
import { MOST_COMMANDS, type Run, type RunParts } from './run.ts';
import { SetRun } from './set-run.ts';

/** Fewer cost more together than apart. */
const FEWEST = 4;
/** A GET of a key without a byte. */
const SHORTEST_BYTES = 19;
const MOST_BYTES = 64 * 1024;
/** Of clients that get longer values GETs go as they came: there is nothing to gain. */
const MOST_VALUE_BYTES = 1024;
/** Of `*2`, `$3` and `GET`, where the first and the last begin. */
const COUNT_AT = 1;
const NAME_AT = 8;
const TWO = 0x32;
const THREE = 0x33;
const G = 0x47;
const S = 0x53;
const LETTER_MASK = 0xdf;

const GET = commandTable.get('GET')!.id;
const SET = commandTable.get('SET')!.id;
const slab = new Slab();

/**
 * GETs, or SETs without options, that have come of a client together and alone: each shard is sent one MGET or MSET of all of its keys, which costs it and the proxy less, and
 * nothing is made per command. The client cannot tell: nothing else of it is under way, and nothing that it sends meanwhile is looked at before all are answered.
 *
 * One instance serves all clients of a thread.
 */
export class Runs {
  readonly #router: Router;
  readonly #missed = new MissedShare();

  constructor(router: Router) {
    this.#router = router;
  }

  /** Whether it looks as if commands had come of the client that may go together. */
  suits(connection: RespConnection): boolean {
    const { parser } = connection;
    const { input, head, filled } = parser;
    if (filled - head < FEWEST * SHORTEST_BYTES || filled - head > MOST_BYTES || !parser.mayPass)
      return false;
    const letter = input[head + NAME_AT] & LETTER_MASK;
    if (input[head + COUNT_AT] === TWO) {
      if (letter !== G || connection.usualReplyBytes > MOST_VALUE_BYTES) return false;
    } else if (input[head + COUNT_AT] !== THREE || letter !== S) return false;
    return connection.runs.isDue() && this.#mayTake(connection);
  }

  /** Nobody wants to see the client's commands as they are but the nodes, and nothing of it is under way. */
  #mayTake(connection: RespConnection): boolean {
    const router = this.#router;
    const { rates, settings } = router.env;
    if (connection.pending > 0 || !connection.isPlain || !router.isPlain || rates !== null) return false;
    if (settings.namespaces.all.length > 1 || router.ownLinks.size > 0 || router.isHolding) return false;
    return router.routes.length > 0 && !router.hasParked(connection);
  }

  /** Takes all that has come of the client, if it is a run of `most` commands at most; or nothing. To be called when it `suits`. */
  take(connection: RespConnection, nowMs: number, most: number): boolean {
    const router = this.#router;
    const { parser } = connection;
    const { watch } = connection.context;
    const { input: buffer, head: start, filled: end } = parser;
    const args = buffer[start + COUNT_AT] === TWO ? 1 : 2;
    const { sorter } = router.ring!;
    const count = sorter.sortCommands(buffer, start, end, args);
    if (count < FEWEST || count > Math.min(most, MOST_COMMANDS, watch.quiet)) return false;
    if (args === 1 && this.#missed.rests(count)) return false;
    const { routes } = router;
    // Where a shard is in trouble, or has no room for all, each is dealt with for itself.
    for (let part = 0; part < sorter.partCount; part++)
      if (!router.hasRoom(routes[sorter.shardOf(part)], connection.protocol, count)) return false;
    watch.quiet -= count;
    connection.commandId = args === 1 ? GET : SET;
    const owners = sorter.partCount > 1 ? sorter.places.slice(0, count) : null;
    const parts: RunParts = { router, connection, buffer, start, count, args, owners, nowMs };
    parser.pass(end - start);
    this.#send(args === 1 ? new GetRun(parts, this.#missed) : new SetRun(parts), args);
    connection.holdLater();
    return true;
  }

  /** Sends what was sorted. */
  #send(run: Run, args: 1 | 2): void {
    const { sorter } = this.#router.ring!;
    const { routes } = this.#router;
    sorter.group();
    for (let part = 0; part < sorter.partCount; part++) {
      const keys = sorter.countOf(part);
      const head = args === 1 ? mgetHead(keys) : msetHead(keys);
      const start = slab.reserve(head.length + sorter.bytesOf(part));
      const { bytes } = slab;
      const end = sorter.copy(part, bytes, copyRange(head, 0, head.length, bytes, start));
      run.send(routes[sorter.shardOf(part)], bytes, start, end, keys);
    }
    run.seal();
  }
}
