import type { RequestParser } from '../../lib/codec/resp/index.ts';
import {
  type AnsweredPart,
  Gather,
  groupByShard,
  type KeyGroup,
  mergeOks,
  mergeSums,
  mergeValues,
  partOf,
} from '../core/gather.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { forward, placeholder } from './forward.ts';

type Merge = (
  groups: readonly KeyGroup[],
  keyCount: number,
  command: string,
) => (parts: readonly AnsweredPart[]) => Buffer;

/** A command of several keys: forwarded whole when one shard owns them all, else split and merged. */
function split(command: string, step: number, isWrite: boolean, merge: Merge): Handler {
  const run: Handler = (connection, args, nowMs) => {
    const keyCount = (args.count - 1) / step;
    if (!Number.isInteger(keyCount)) {
      connection.replyError(`ERR wrong number of arguments for '${command.toLowerCase()}' command`);
      return;
    }
    const { router } = connection.context;
    const groups = groupByShard(router, args, 1, step);
    if (groups.length === 1) {
      forward(connection, args, 1, keyCount === 1 ? 1 : 0, isWrite, nowMs);
      return;
    }
    const frames = groups.map(({ positions }) => partOf(args, positions, 1, step));
    const sendParts = () => {
      const gather = new Gather(placeholder(connection, nowMs), merge(groups, keyCount, command));
      groups.forEach(({ route }, i) => {
        gather.send(router, route, frames[i], isWrite);
      });
      gather.seal();
    };
    if (!router.hasParked(connection)) sendParts();
    else afterEarlier(connection, sendParts);
  };
  return run;
}

/** Earlier commands of this client wait for the ring; parts of this one would overtake them. */
function afterEarlier(connection: RespConnection, action: () => void): void {
  connection.barrier((done) => {
    action();
    done();
  });
}

/** All keys on one shard, or nothing is done: it must be atomic. */
function runMsetnx(connection: RespConnection, args: RequestParser, nowMs: number): void {
  if (args.count % 2 === 0) {
    connection.replyError("ERR wrong number of arguments for 'msetnx' command");
    return;
  }
  if (groupByShard(connection.context.router, args, 1, 2).length > 1) {
    connection.replyError("CROSSSLOT Keys in request don't hash to the same slot");
    return;
  }
  forward(connection, args, 1, args.count === 3 ? 1 : 0, true, nowMs);
}

/** Commands of several keys, by upper-case name. */
export const keysHandlers: Readonly<Record<string, Handler>> = {
  MGET: split('MGET', 1, false, mergeValues),
  EXISTS: split('EXISTS', 1, false, mergeSums),
  TOUCH: split('TOUCH', 1, false, mergeSums),
  DEL: split('DEL', 1, true, mergeSums),
  UNLINK: split('UNLINK', 1, true, mergeSums),
  MSET: split('MSET', 2, true, mergeOks),
  MSETNX: runMsetnx,
};
