import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { acquireRequest, discard, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { Found } from '../near/index.ts';
import type { BalanceCounts } from './balance-figures.ts';
import type { Place, SpreadKey } from './spread-key.ts';

/** A shard that did not take a copy is left alone for so long. */
const REST_MS = 1000;
const TAKEN = 0x31;
const NOT_SENT = Buffer.from('-ERR not sent\r\n');
/** `$0`, line end, line end. */
const EMPTY_BULK_BYTES = 6;

/** Puts copies of what was read at its leader onto overflow shards, where nobody waits for it, and takes them away again. */
export class CopyStore {
  readonly #router: Router;
  readonly #copyTtlMs: number;
  readonly #figures: BalanceCounts;

  /** `copyTtlMs`: how long a copy lives at most. */
  constructor(router: Router, copyTtlMs: number, figures: BalanceCounts) {
    this.#router = router;
    this.#copyTtlMs = copyTtlMs;
    this.#figures = figures;
  }

  /** Sends what was found, which has just come from the leader. `place.isStoring` is over when the shard has said whether it keeps it. */
  store({ key, rules }: SpreadKey, found: Found, place: Place): void {
    const copyMs = Math.min(this.#copyTtlMs, rules.stalenessMs);
    const times = [String(copyMs), String(found.clientFlags), String(found.ttlMs), String(found.softTtlMs)];
    const parts = ['RS.COPY', 'SET', key, String(found.version), ...times, ''];
    const head = encodeCommand(...parts);
    // The value is there as the bulk string that it has to be, in place of the empty one.
    const { bytes, start, end, rest, restBytes } = found;
    const frame = Buffer.concat([
      head.subarray(0, head.length - EMPTY_BULK_BYTES),
      bytes.subarray(start, end),
    ]);
    place.isStoring = true;
    const request = requestOf(frame, new Stored(place, this.#figures, () => this.#nowMs()));
    request.rest = rest;
    request.restBytes = restBytes;
    this.#send(request, place);
  }

  /** The key has been written: what the shard has is old. */
  drop({ key }: SpreadKey, place: Place): void {
    place.hasCopy = false;
    this.#send(requestOf(encodeCommand('RS.COPY', 'DEL', key), discard), place);
  }

  #send(request: Request, { load: { node } }: Place): void {
    const link = this.#router.linkTo(node, 2, 0);
    request.startedMs = this.#nowMs();
    if (link?.isReady) this.#router.submitOver(request, link);
    else request.answerWith(NOT_SENT);
  }

  #nowMs(): number {
    return this.#router.env.clock.monotonicMs();
  }
}

function requestOf(frame: Buffer, sink: Sink): Request {
  const request = acquireRequest();
  request.bytes = frame;
  request.end = frame.length;
  request.protocol = 2;
  request.sink = sink;
  return request;
}

/** Hears whether a shard keeps a copy. */
class Stored implements Sink {
  readonly #place: Place;
  readonly #figures: BalanceCounts;
  readonly #nowMs: () => number;

  constructor(place: Place, figures: BalanceCounts, nowMs: () => number) {
    this.#place = place;
    this.#figures = figures;
    this.#nowMs = nowMs;
  }

  ready(reply: Request): void {
    this.#end(reply, reply.bytes[reply.start + 1] === TAKEN);
  }

  handBack(request: Request): void {
    this.#end(request, false);
  }

  #end(request: Request, isTaken: boolean): void {
    releaseRequest(request);
    const place = this.#place;
    place.isStoring = false;
    if (isTaken) place.hasCopy = true;
    else place.restsUntilMs = this.#nowMs() + REST_MS;
    if (isTaken) this.#figures.copied++;
    else this.#figures.notCopied++;
  }
}
