import type { Router } from './router.ts';
import type { ShardRoute } from './topology.ts';

/** Those of several keys that one shard owns. */
export interface ShardKeys {
  readonly route: ShardRoute;
  readonly keys: Buffer[];
  /** Their places among all keys, ascending. */
  readonly places: number[];
}

/** Groups keys by the shard that owns them. Only once there is a ring. */
export function byShard(router: Router, keys: readonly Buffer[]): ShardKeys[] {
  const groups = new Map<ShardRoute, ShardKeys>();
  for (const [place, key] of keys.entries()) {
    const route = router.routeOf(key, 0, key.length);
    let group = groups.get(route);
    if (group === undefined) {
      group = { route, keys: [], places: [] };
      groups.set(route, group);
    }
    group.keys.push(key);
    group.places.push(place);
  }
  return [...groups.values()];
}
