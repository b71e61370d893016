import { RespWriter, replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable } from '../../lib/commands/index.ts';
import { mergeOf, noRing, toAllShards } from '../core/fan-out.ts';
import { isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather, type Merge } from '../core/gather.ts';
import { acquireSplit } from '../core/key-split.ts';
import type { PubSub } from '../core/pubsub.ts';
import type { ChannelKind } from '../core/pubsub-frames.ts';
import { subcommandSyntax } from './ask.ts';
import type { Handler } from './context.ts';
import { placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';

const ARRAY = 0x2a;
/** Where the names stand behind `PUBSUB NUMSUB`. */
const NAMES_AT = 2;

function specOf(word: string): CommandSpec {
  return commandTable.get('PUBSUB')!.subcommands.find((sub) => sub.word === word)!;
}

/** All shards are asked, and say what their subscribers listen to: proxies, for their clients. */
function everywhere(merge: Merge): Handler {
  return (connection, args, nowMs) => {
    const { router } = connection.context;
    if (router.routes.length === 0) {
      connection.reply(noRing());
      return;
    }
    const frame = args.buffer.subarray(args.frameStart, args.frameEnd);
    inOrder(connection, () => toAllShards(router, placeholder(connection, nowMs), frame, true, merge));
  };
}

/** Keyspace events are listened to on all shards, so that one name may come from several. */
function namesOnce(spec: CommandSpec): Merge {
  const merge = mergeOf(spec);
  return (parts) => {
    const all = merge(parts);
    return all[0] === ARRAY ? withoutRepeats(all) : all;
  };
}

function withoutRepeats(array: Buffer): Buffer {
  const names = new Set<string>();
  let at = replyLineEnd(array, 0);
  for (let left = replyNumber(array, 0); left > 0; left--) {
    const end = replyLineEnd(array, at) + replyNumber(array, at) + 2;
    names.add(array.latin1Slice(at, end));
    at = end;
  }
  return Buffer.from(`*${names.size}\r\n${[...names].join('')}`, 'latin1');
}

function listNames(word: string): Handler {
  const ask = everywhere(namesOnce(specOf(word)));
  return (connection, args, nowMs) => {
    if (args.count > NAMES_AT + 1) connection.replyError(subcommandSyntax(args));
    else ask(connection, args, nowMs);
  };
}

/** Every pattern is listened to on all shards: the one that knows of most knows of all, but for those that just come and go. */
function countPatterns(): Handler {
  const merge = mergeOf(specOf('NUMPAT'));
  return everywhere((parts) => {
    if (parts.some(({ reply }) => isErrorReply(reply.bytes, reply.start))) return merge(parts);
    const counts = parts.map(({ reply }) => replyNumber(reply.bytes, reply.start));
    return Buffer.from(`:${Math.max(...counts)}\r\n`);
  });
}

/** Each name is asked of its home; clients of this thread are counted one by one. */
function countSubscribers(word: string, kind: ChannelKind): Handler {
  const failure = mergeOf(specOf(word));
  return (connection, args, nowMs) => {
    const { router, pubsub } = connection.context;
    if (router.routes.length === 0) {
      connection.reply(noRing());
      return;
    }
    const names: string[] = [];
    for (let i = NAMES_AT; i < args.count; i++) names.push(args.latin1(i));
    if (names.length === 0) {
      connection.writer.arrayHeader(0);
      connection.replyWritten();
      return;
    }
    const split = acquireSplit();
    split.sort(router, args, NAMES_AT, 1);
    split.encode(args, NAMES_AT, 1);
    inOrder(connection, () => {
      const gather = Gather.merging(placeholder(connection, nowMs), (parts) => {
        const isFailed = parts.some(({ reply }) => isErrorReply(reply.bytes, reply.start));
        const answer = isFailed ? failure(parts) : countsOf(pubsub, kind, names, split.owners, parts);
        split.release();
        return answer;
      });
      const { routes, bytes, starts, ends } = split;
      for (let i = 0; i < routes.length; i++)
        gather.sendRange(router, routes[i], bytes, starts[i], ends[i], true);
      gather.seal();
    });
  };
}

/** A map in name only, as in Redis: the reply is a flat array in RESP3 too. `owners`: which part is about each name. */
function countsOf(
  pubsub: PubSub,
  kind: ChannelKind,
  names: readonly string[],
  owners: Uint16Array,
  parts: readonly AnsweredPart[],
): Buffer {
  const counted = parts.map(({ reply }) => countsIn(reply.bytes, reply.start));
  const writer = new RespWriter();
  writer.arrayHeader(2 * names.length);
  for (const [i, name] of names.entries()) {
    const owner = owners[i];
    writer.bulkLatin1(name);
    writer.integer(pubsub.subscribers(kind, name, parts[owner].route.name, counted[owner].shift() ?? 0));
  }
  return writer.take();
}

/** The numbers in an array of names and numbers. */
function countsIn(array: Buffer, start: number): number[] {
  const counts: number[] = [];
  let at = replyLineEnd(array, start);
  for (let left = replyNumber(array, start) / 2; left > 0; left--) {
    at = replyLineEnd(array, at) + replyNumber(array, at) + 2;
    counts.push(replyNumber(array, at));
    at = replyLineEnd(array, at);
  }
  return counts;
}

/** PUBSUB and its subcommands, by upper-case name. */
export const pubsubQuestions: Readonly<Record<string, Handler>> = {
  'PUBSUB|CHANNELS': listNames('CHANNELS'),
  'PUBSUB|SHARDCHANNELS': listNames('SHARDCHANNELS'),
  'PUBSUB|NUMPAT': countPatterns(),
  'PUBSUB|NUMSUB': countSubscribers('NUMSUB', 'channel'),
  'PUBSUB|SHARDNUMSUB': countSubscribers('SHARDNUMSUB', 'shardChannel'),
};
