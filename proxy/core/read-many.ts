import { RingsideError } from '../../lib/base/index.ts';
import { type Args, argsOf, replyNumber } from '../../lib/codec/resp/index.ts';
import type { MgetResult } from './api.ts';
import type { Caller } from './caller.ts';
import { isErrorReply } from './frames.ts';
import type { AnsweredPart } from './gather.ts';
import { acquireSplit, type KeySplit } from './key-split.ts';
import type { ReadOfMany } from './near-port.ts';
import { nextOfMany, ReplyWalk } from './read-reply.ts';
import { errorOfReply } from './reply-errors.ts';
import { acquireRequest, releaseRequest } from './request.ts';
import { sendSplit } from './send-split.ts';
import type { ShardRoute } from './topology.ts';

const NOTHING = Buffer.alloc(0);
/** What is kept tells all that there is to tell, whatever the engine. */
const KEPT_AS = 'RS.MGET';
const ARRAY = 0x2a;

/** Tells what is there of one key after the other. */
type NextResult = () => MgetResult;

/** Reads keys, at least one, for HTTP and gRPC, in windows as an MGET; each has a result of its own. Only once there is a ring. */
export function readMany(caller: Caller, keys: readonly Buffer[]): Promise<MgetResult[]> {
  const { router } = caller;
  const nowMs = router.env.clock.monotonicMs();
  const error = caller.refusal(nowMs);
  if (error !== null) return Promise.resolve(new Array(keys.length).fill({ error }));
  const [first] = keys;
  const args = argsOf(nameFor(router.routeOf(first, 0, first.length)), ...keys);
  const split = acquireSplit();
  const kept = router.near?.keptFor(KEPT_AS, 2, nowMs) ?? null;
  split.sort(router, args, 1, 1, { window: router.env.health.fanOut, kept });
  return split.goesWhole ? readWhole(caller, args, split) : readParts(caller, args, split);
}

function nameFor({ engine }: ShardRoute): ReadOfMany {
  return engine === 'ringside' ? 'RS.MGET' : 'MGET';
}

async function readWhole(caller: Caller, args: Args, split: KeySplit): Promise<MgetResult[]> {
  const { keyCount } = split;
  const [route] = split.routes;
  split.release();
  const target = { route, isWrite: false, keyIndex: keyCount === 1 ? 1 : 0 };
  const bytes = args.buffer.subarray(args.frameStart, args.frameEnd);
  try {
    const { bytes: reply, start, isPossiblyStale } = await caller.call(target, { bytes, rest: null });
    return Array.from({ length: keyCount }, resultsAt(reply, start, nameFor(route), isPossiblyStale));
  } catch (error) {
    return new Array(keyCount).fill({ error: error as RingsideError });
  }
}

function readParts({ router, deadlineMs }: Caller, args: Args, split: KeySplit): Promise<MgetResult[]> {
  split.encode(args, 1, 1, nameFor);
  return new Promise((resolve, reject) => {
    const command = acquireRequest();
    command.keyIndex = -1;
    command.protocol = 2;
    command.startedMs = router.env.clock.monotonicMs();
    command.sink = {
      ready(request) {
        const { bytes, start, end } = request;
        releaseRequest(request);
        if (isErrorReply(bytes, start)) reject(errorOfReply(bytes, start, end));
      },
    };
    const answer = (_: KeySplit, parts: readonly AnsweredPart[]) => {
      resolve(resultsOf(split, parts));
      command.answerWith(NOTHING);
    };
    sendSplit(router, split, command, false, answer, 'MGET', deadlineMs);
  });
}

/** In the order of the keys. */
function resultsOf(
  { counts, owners, keyCount, keptPlace }: KeySplit,
  parts: readonly AnsweredPart[],
): MgetResult[] {
  const next = parts.map((part, place) =>
    resultsIn(part, counts[place], place === keptPlace ? KEPT_AS : nameFor(part.route)),
  );
  return Array.from({ length: keyCount }, (_, i) => next[owners[i]]());
}

function resultsIn({ route, reply }: AnsweredPart, count: number, name: ReadOfMany): NextResult {
  const { bytes, start, end, isPossiblyStale } = reply;
  if (bytes[start] === ARRAY && replyNumber(bytes, start) === count)
    return resultsAt(bytes, start, name, isPossiblyStale);
  const error = isErrorReply(bytes, start)
    ? errorOfReply(bytes, start, end)
    : new RingsideError('internal', `shard ${route.name} answered with other values`);
  return () => ({ error });
}

/** What the reply at `start` to this command tells. */
function resultsAt(bytes: Buffer, start: number, name: ReadOfMany, possiblyStale: boolean): NextResult {
  const walk = new ReplyWalk(bytes, start);
  walk.enter();
  if (name === 'RS.MGET') return () => nextOfMany(walk, possiblyStale);
  return () => ({ value: walk.bulk(), version: null, ttlMs: null, isStale: false, possiblyStale });
}
