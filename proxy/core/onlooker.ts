import type { Request } from './request.ts';
import type { ShardRoute } from './topology.ts';

/** Sees the answers to requests before those who wait for them. */
export interface AnswerHook {
  /**
   * The answer to `request`, which still holds its command (of a long write only the begin), is here: `bytes[start, end)` and then `rest`. True: it is
   * kept back, and the request is answered later.
   */
  answered(
    request: Request,
    bytes: Buffer,
    start: number,
    end: number,
    rest: readonly Buffer[] | null,
    restBytes: number,
  ): boolean;
}

/** Sees every command on its way to a node. */
export interface Onlooker {
  /** A request is about to be sent for the first time; its `hook` may be set. */
  sees(request: Request): void;
  /** The commands in `frame` (encoded, one behind the other) are about to be sent over a connection of their own, about this database. */
  bypassed(frame: Buffer, database: number): void;
  /**
   * A value of this shard has been fetched for reads that were not sent themselves, or nothing was there. True: that it is not there is nobody's answer, nor to
   * be kept; the reads are to be sent after all.
   */
  fetched(route: ShardRoute, isThere: boolean): boolean;
}

/** Both see everything, in this order. */
export function bothOf(first: Onlooker, second: Onlooker): Onlooker {
  return {
    sees(request) {
      first.sees(request);
      second.sees(request);
    },
    bypassed(frame, database) {
      first.bypassed(frame, database);
      second.bypassed(frame, database);
    },
    fetched(route, isThere) {
      const isRefused = first.fetched(route, isThere);
      return second.fetched(route, isThere) || isRefused;
    },
  };
}
