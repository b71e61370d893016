import { RingsideError } from '../../lib/base/index.ts';

const STRONG = /^"([1-9]\d{0,19})"$/;
const MAX_VERSION = 2n ** 64n - 1n;
const TAG = /(W\/)?"([^"]*)"/g;

/** The version that a write with `If-Match: "…"` asks for; null when no version ever looks like that. Throws `bad_request` of several. */
export function versionIn(tags: string): string | null {
  const found = [...tags.matchAll(TAG)];
  if (found.length !== 1)
    throw new RingsideError('bad_request', 'If-Match of a write names one ETag, or is `*`');
  const [, version] = STRONG.exec(found[0][0]) ?? [];
  return version !== undefined && BigInt(version) <= MAX_VERSION ? version : null;
}

/** The ETag of a version (RFC 9110, 8.8.3). */
export function etagOf(version: string): string {
  return `"${version}"`;
}

/** Whether a list of ETags, or `*`, has the one of this version. `If-None-Match` does not mind `W/`, `If-Match` does (RFC 9110, 8.8.3.2). */
export function hasVersion(tags: string, version: string, isWeak: boolean): boolean {
  if (tags.trim() === '*') return true;
  for (const [, weak, opaque] of tags.matchAll(TAG))
    if (opaque === version && (isWeak || weak === undefined)) return true;
  return false;
}
