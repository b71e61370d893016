import { type ErrorCode, RingsideError } from '../../lib/base/index.ts';
import { encodeCommand } from '../../lib/codec/resp/index.ts';
import type { Purge } from './api.ts';
import type { Router } from './router.ts';
import { byShard } from './shard-keys.ts';
import type { ShardRoute } from './topology.ts';

/** A command for one shard. */
export interface PurgePart {
  readonly route: ShardRoute;
  readonly frame: Buffer;
}

/** The commands of a purge: keys are deleted where they are, tags and prefixes may have keys on every shard. */
export function purgeParts(router: Router, { keys, tags, prefixes }: Purge): PurgePart[] {
  const deletions = byShard(router, keys).map((group) => ({
    route: group.route,
    frame: encodeCommand('DEL', ...group.keys),
  }));
  const frames = prefixes.map((prefix) => encodeCommand('RS.PURGE', 'PREFIX', prefix));
  if (tags.length > 0) frames.push(encodeCommand('RS.PURGE', 'TAG', ...tags));
  const everywhere = router.routes.flatMap((route) => frames.map((frame) => ({ route, frame })));
  return [...deletions, ...everywhere];
}

/**
 * What to say of a purge by the outcome of each part: null when all went well, else an error that tells on which shards it failed, with the
 * code of the first, or `write_unknown` if that is what any of them is.
 */
export function purgeFailure(
  parts: readonly PurgePart[],
  outcomes: readonly PromiseSettledResult<unknown>[],
): RingsideError | null {
  const messages = new Map<string, string>();
  let code: ErrorCode | null = null;
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') continue;
    const error = outcome.reason as RingsideError;
    if (code === null || error.code === 'write_unknown') code = error.code;
    const { name } = parts[i].route;
    if (!messages.has(name)) messages.set(name, error.message);
  }
  if (code === null) return null;
  const shards = new Set(parts.map(({ route }) => route.name)).size;
  const details = Array.from(messages, ([name, message]) =>
    message.startsWith(`shard ${name}`) ? message : `shard ${name}: ${message}`,
  );
  return new RingsideError(
    code,
    `the purge failed on ${messages.size} of ${shards} shards, repeat it: ${details.join('; ')}`,
  );
}
