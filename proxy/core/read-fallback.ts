import { argumentRange } from './frames.ts';
import type { NamespaceMatcher } from './namespace-rules.ts';
import type { Request } from './request.ts';

/** Whether the namespace of this read's key lets a follower answer it. */
export function mayFallBack(namespaces: NamespaceMatcher, request: Request): boolean {
  if (namespaces.neverRestricts) return true;
  // Of several keys in one frame some may belong to a namespace that forbids it.
  if (request.keyIndex < 1) return false;
  const { start, end } = argumentRange(request.bytes, request.start, request.keyIndex);
  return namespaces.rulesOf(request.bytes, start, end).mayFallBack;
}

/** Milliseconds that the value which this read asks for may be old; 0 of several keys in one frame. */
export function stalenessOf(namespaces: NamespaceMatcher, request: Request): number {
  if (request.keyIndex < 1) return 0;
  const { start, end } = argumentRange(request.bytes, request.start, request.keyIndex);
  return namespaces.rulesOf(request.bytes, start, end).stalenessMs;
}
