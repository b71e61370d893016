import type { RequestParser } from '../../lib/codec/resp/index.ts';
import {
  mergeArrays,
  mergeFlushes,
  mergeSizes,
  parseCursor,
  RandomKey,
  scanShards,
  toAllShards,
} from '../core/fan-out.ts';
import type { AnsweredPart } from '../core/gather.ts';
import type { Handler } from './context.ts';
import { placeholder } from './forward.ts';

function onAllShards(isWrite: boolean, merge: (parts: readonly AnsweredPart[]) => Buffer): Handler {
  return (connection, args, nowMs) => {
    toAllShards(connection.context.router, placeholder(connection, nowMs), frameOf(args), isWrite, merge);
  };
}

/** Every shard gets its own hold on the frame: it is kept until the last one has answered. */
function frameOf(args: RequestParser): Buffer {
  return args.buffer.subarray(args.frameStart, args.frameEnd);
}

const runScan: Handler = (connection, args, nowMs) => {
  const cursor = parseCursor(args.latin1(1));
  if (cursor === null) {
    connection.replyError('ERR invalid cursor');
    return;
  }
  const options: Buffer[] = [];
  for (let i = 2; i < args.count; i++) options.push(args.bytes(i));
  scanShards(connection.context.router, placeholder(connection, nowMs), cursor, options);
};

const runRandomKey: Handler = (connection, _args, nowMs) => {
  const { router } = connection.context;
  new RandomKey(router, placeholder(connection, nowMs), router.env.random.int(router.routes.length));
};

/** Commands without a key that concern every shard, by upper-case name. */
export const fanOutHandlers: Readonly<Record<string, Handler>> = {
  DBSIZE: onAllShards(false, mergeSizes),
  FLUSHALL: onAllShards(true, mergeFlushes('FLUSHALL')),
  FLUSHDB: onAllShards(true, mergeFlushes('FLUSHDB')),
  KEYS: onAllShards(false, mergeArrays),
  SCAN: runScan,
  RANDOMKEY: runRandomKey,
};
