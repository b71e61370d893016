import { argumentRange } from './frames.ts';
import { type Request, RequestState } from './request.ts';

/**
 * Whether a later command of the same client on the same key (or on keys that cannot be told) is already on its way or done:
 * trying the earlier one again would then change their order.
 */
export function isOvertaken(request: Request): boolean {
  if (request.keyIndex < 1) return (request.sink.command ?? request).next !== null;
  for (let later = request.next; later !== null; later = later.next) {
    if (touches(later, request)) return true;
  }
  return false;
}

function touches(later: Request, earlier: Request): boolean {
  // It waits behind the earlier one already.
  if (later.state === RequestState.PARKED) return false;
  // Its command is gone: all that is known is the shard.
  if (later.state === RequestState.READY) return later.route?.name === earlier.route?.name;
  if (later.keyIndex < 1) return true;
  const key = argumentRange(earlier.bytes, earlier.start, earlier.keyIndex);
  const other = argumentRange(later.bytes, later.start, later.keyIndex);
  return earlier.bytes.compare(later.bytes, other.start, other.end, key.start, key.end) === 0;
}

/** Whether it has been sent twice: one that only waits to be sent may go elsewhere at any time. */
export function wasTriedAgain({ retries, state }: Request): boolean {
  return retries > 0 && state !== RequestState.QUEUED;
}
