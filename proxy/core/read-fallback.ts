import { argumentRange } from './frames.ts';
import type { Request } from './request.ts';
import type { ReadFallbackRule } from './settings.ts';

/** Whether the namespace of this read's key lets a follower answer it. Without rules every read may. */
export function mayFallBack(rules: readonly ReadFallbackRule[], request: Request): boolean {
  if (rules.length === 0) return true;
  // Of several keys in one frame some may belong to a namespace that forbids it.
  if (request.keyIndex < 1) return rules.every((rule) => rule.allowed);
  const { start, end } = argumentRange(request.bytes, request.start, request.keyIndex);
  const key = request.bytes.subarray(start, end);
  let best: ReadFallbackRule | null = null;
  for (const rule of rules) {
    const longer = best === null || rule.prefix.length > best.prefix.length;
    if (longer && key.subarray(0, rule.prefix.length).equals(rule.prefix)) best = rule;
  }
  return best?.allowed ?? true;
}
