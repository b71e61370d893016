import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable, wrongArityText } from '../../lib/commands/index.ts';
import { CROSS_SLOT, routeOfKeys } from '../core/key-routes.ts';
import { acquireSplit } from '../core/key-split.ts';
import { type MergeKeys, mergeOks, mergeSums, mergeValues } from '../core/merge-keys.ts';
import { sendSplit } from '../core/send-split.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { forwardTo, placeholder } from './forward.ts';

/** How the replies to the parts become one, by what the table says of the command's reply. */
function mergeOf({ tips }: CommandSpec): MergeKeys {
  if (tips.includes('response_policy:agg_sum')) return mergeSums;
  return tips.includes('response_policy:all_succeeded') ? mergeOks : mergeValues;
}

/** A command of several keys (`multi`, `pairs`): forwarded whole when one shard owns them all, else split and merged. */
export function splitByKeys(spec: CommandSpec): Handler {
  const { firstKey, keyStep, isWrite, word } = spec;
  const merge = mergeOf(spec);
  return (connection, args, nowMs) => {
    if ((args.count - firstKey) % keyStep !== 0) {
      connection.replyError(wrongArityText(spec));
      return;
    }
    const { router } = connection.context;
    const split = acquireSplit();
    const isRead = merge === mergeValues;
    const window = isRead ? router.env.health.fanOut : null;
    const near = isRead && connection.isPlain ? router.near : null;
    const kept = near?.keptFor('MGET', connection.protocol, nowMs) ?? null;
    split.sort(router, args, firstKey, keyStep, { window, kept });
    if (split.goesWhole) {
      forwardTo(connection, args, split.routes[0], split.keyCount === 1 ? firstKey : 0, isWrite, nowMs);
      split.release();
      return;
    }
    split.encode(args, firstKey, keyStep);
    const { hasLater } = split;
    inOrder(connection, () => {
      sendSplit(router, split, placeholder(connection, nowMs), isWrite, merge, word);
      if (hasLater) connection.holdLater();
    });
  };
}

/** Runs `action` now, or once the earlier commands of this client that wait for the ring are done: its requests would overtake them. */
export function inOrder(connection: RespConnection, action: () => void): void {
  if (!connection.context.router.hasParked(connection)) {
    action();
    return;
  }
  connection.barrier((done) => {
    action();
    done();
  });
}

/** A command whose keys must all be on one shard (`key`): forwarded whole, or refused as a cluster of Redis does. */
export function onOneShard(spec: CommandSpec): Handler {
  return (connection, args, nowMs) => {
    const route = routeOfKeys(connection.context.router, spec, args);
    if (route === null) connection.replyError(CROSS_SLOT);
    else forwardTo(connection, args, route, 0, spec.isWrite, nowMs);
  };
}

/** Options of SORT whose argument is a pattern of keys. */
const PATTERN_OPTIONS: readonly string[] = ['BY', 'GET'];

/** SORT takes weights and values from keys that its patterns make: all of them must be on the shard of its own key for certain. */
function sorting(spec: CommandSpec): Handler {
  const forwardSort = onOneShard(spec);
  return (connection, args, nowMs) => {
    const stray = connection.context.router.routes.length > 1 ? strayPattern(connection, args) : undefined;
    if (stray === undefined) forwardSort(connection, args, nowMs);
    else connection.replyError(`ERR ${stray} option of SORT denied in cluster mode.`);
  };
}

/** The first option whose pattern may name keys of other shards. */
function strayPattern({ context: { router } }: RespConnection, args: RequestParser): string | undefined {
  const own = router.routeOf(args.buffer, args.start(1), args.end(1));
  for (let i = 2; i < args.count - 1; i++) {
    const option = PATTERN_OPTIONS.find((word) => args.equalsIgnoreCase(i, word));
    if (option === undefined) continue;
    i++;
    if (!makesKeys(args.latin1(i))) continue;
    const isTagged = hasFixedTag(args.latin1(i));
    if (!isTagged || router.routeOf(args.buffer, args.start(i), args.end(i)) !== own) return option;
  }
  return undefined;
}

function makesKeys(pattern: string): boolean {
  return pattern.includes('*');
}

/** Whether the hash tag of every key that the pattern makes is the one in the pattern. */
function hasFixedTag(pattern: string): boolean {
  const open = pattern.indexOf('{');
  const close = pattern.indexOf('}', open + 1);
  return open >= 0 && close > open + 1 && close < pattern.indexOf('*');
}

/** Commands on keys for which the table is not enough, by upper-case name. */
export const keysHandlers: Readonly<Record<string, Handler>> = {
  SORT: sorting(commandTable.get('SORT')!),
  SORT_RO: sorting(commandTable.get('SORT_RO')!),
};
