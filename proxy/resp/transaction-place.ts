import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, type Routing } from '../../lib/commands/index.ts';
import { CROSS_SLOT } from '../core/key-routes.ts';
import type { Router } from '../core/router.ts';

const NOT_ALLOWED = 'ERR Command not allowed inside a transaction';

/** Answered by the proxy, but not as one element of EXEC's reply. */
const NEVER_QUEUED: ReadonlySet<string> = new Set([
  'hello',
  'wait',
  'monitor',
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
]);

/** Where a queued command runs. */
export type Place =
  /** On the shard of this name. */
  | { readonly shard: string }
  /** On whichever shard the others do. */
  | 'along'
  /** In the proxy. */
  | 'here';

/** Where a command of a transaction runs, or the error that says why it cannot be queued. Only once there is a ring. */
export function placeOf(router: Router, args: Args, spec: CommandSpec): Place | { readonly refusal: string } {
  const { routes } = router;
  if (NEVER_QUEUED.has(spec.name) || spec.flags.includes('no_multi')) return { refusal: NOT_ALLOWED };
  if (spec.name === 'select') return 'along';
  const keys = keyIndexes(spec, args);
  if (keys === null) return 'along';
  if (keys.length > 0) {
    const [first, ...others] = keys.map((i) => router.routeOf(args.buffer, args.start(i), args.end(i)));
    return others.every((route) => route === first) ? { shard: first.name } : { refusal: CROSS_SLOT };
  }
  if (routingOf(spec, args) !== 'all') return 'here';
  if (routes.length === 1) return { shard: routes[0].name };
  return { refusal: `${NOT_ALLOWED}: it concerns all shards` };
}

function routingOf(spec: CommandSpec, args: Args): Routing | undefined {
  return spec.routingByWord === null ? spec.routing : spec.routingByWord[args.latin1(1).toLowerCase()];
}

/** Null when the arguments are such that nobody can tell: the node will say what is wrong with them. */
function keyIndexes(spec: CommandSpec, args: Args): number[] | null {
  if (spec.routingByWord !== null) return routingOf(spec, args) === 'key' && args.count > 2 ? [2] : [];
  return keysOf(spec, args)?.map(({ index }) => index) ?? null;
}
