import type { RequestParser } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { mergeOf, RandomKey, toAllShards } from '../core/fan-out.ts';
import { parseCursor, scanShards } from '../core/scan.ts';
import type { Handler } from './context.ts';
import { placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';

/** A command that every shard gets as it came (`all`), with one reply made of theirs. */
export function onAllShards(spec: CommandSpec): Handler {
  const merge = mergeOf(spec);
  // What people do to a server is done by its leader, once.
  const isWrite = spec.isWrite || spec.flags.includes('admin');
  return (connection, args, nowMs) => {
    const frame = frameOf(args);
    inOrder(connection, () => {
      toAllShards(connection.context.router, placeholder(connection, nowMs), frame, isWrite, merge);
    });
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
  inOrder(connection, () => {
    scanShards(connection.context.router, placeholder(connection, nowMs), cursor, options);
  });
};

const runRandomKey: Handler = (connection, _args, nowMs) => {
  const { router } = connection.context;
  inOrder(connection, () => {
    new RandomKey(router, placeholder(connection, nowMs), router.env.random.int(router.routes.length));
  });
};

/** Commands that ask one shard after the other, by upper-case name. */
export const fanOutHandlers: Readonly<Record<string, Handler>> = {
  SCAN: runScan,
  RANDOMKEY: runRandomKey,
};
