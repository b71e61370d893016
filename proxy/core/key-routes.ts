import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, type KeyRange, keyRangesOf, keysOf } from '../../lib/commands/index.ts';
import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

/** Redis's text for keys that would have to be on one shard and are not. */
export const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

const rangesById: (readonly KeyRange[] | null | undefined)[] = [];

/**
 * The shard that all keys of a command are on; null when they are on several. A command without keys, or whose arguments are such that
 * nobody can tell its keys, may go to any shard, which says what is wrong with it: then it is the first. Only once there is a ring.
 */
export function routeOfKeys(router: Router, spec: CommandSpec, args: Args): ShardRoute | null {
  const { routes } = router;
  if (routes.length === 1) return routes[0];
  let ranges = rangesById[spec.id];
  if (ranges === undefined) {
    ranges = keyRangesOf(spec);
    rangesById[spec.id] = ranges;
  }
  return ranges === null ? routeOfFound(router, spec, args) : routeOfRanges(router, ranges, args);
}

function routeOfRanges(router: Router, ranges: readonly KeyRange[], args: Args): ShardRoute | null {
  let found: ShardRoute | null = null;
  for (const { first, last, step } of ranges) {
    const end = last < 0 ? args.count + last : last;
    for (let i = first; i <= end; i += step) {
      const route = router.routeOf(args.buffer, args.start(i), args.end(i));
      if (found === null) found = route;
      else if (route !== found) return null;
    }
  }
  return found ?? router.routes[0];
}

function routeOfFound(router: Router, spec: CommandSpec, args: Args): ShardRoute | null {
  let found: ShardRoute | null = null;
  for (const { index } of keysOf(spec, args) ?? []) {
    const route = router.routeOf(args.buffer, args.start(index), args.end(index));
    if (found === null) found = route;
    else if (route !== found) return null;
  }
  return found ?? router.routes[0];
}
