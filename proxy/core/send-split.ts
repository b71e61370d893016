import type { FanOutWindow } from '../health/index.ts';
import { isErrorReply } from './frames.ts';
import { type AnsweredPart, Gather } from './gather.ts';
import type { KeySplit } from './key-split.ts';
import type { MergeKeys } from './merge-keys.ts';
import type { Request } from './request.ts';
import type { Router } from './router.ts';

/**
 * Sends the parts of a command whose keys were sorted and encoded; where the split has a window, those for one shard one after the other. Once all are
 * answered `merge` answers the command, and the split is given back. `name` is upper-case, for errors. `deadlineMs`: monotonic milliseconds at which whoever asks waits no longer.
 */
export function sendSplit(
  router: Router,
  split: KeySplit,
  command: Request,
  isWrite: boolean,
  merge: MergeKeys,
  name: string,
  deadlineMs = Number.POSITIVE_INFINITY,
): void {
  const { routes, bytes, starts, ends, window } = split;
  const gather = new Gather(command, (parts) => {
    if (window !== null) noteSizes(window, split, parts);
    merge(split, parts, command, name);
    split.release();
  });
  if (deadlineMs < command.startedMs + router.env.settings.operationTimeoutMs)
    gather.hurry(deadlineMs, router.calls);
  for (let i = 0; i < routes.length; i++) {
    if (i === split.keptPlace) gather.add(routes[i], split.replyAtHand);
    else if (window === null || split.isAlone[i])
      gather.sendRange(router, routes[i], bytes, starts[i], ends[i], isWrite);
    else gather.sendNext(router, routes[i], bytes, starts[i], ends[i]);
  }
  gather.seal();
}

/** What values weigh tells how many to ask for at once the next time. */
function noteSizes(
  window: FanOutWindow,
  { counts, keptPlace }: KeySplit,
  parts: readonly AnsweredPart[],
): void {
  for (let i = 0; i < parts.length; i++) {
    const { route, reply } = parts[i];
    if (i !== keptPlace && !isErrorReply(reply.bytes, reply.start))
      window.answered(route.name, counts[i], reply.length);
  }
}
