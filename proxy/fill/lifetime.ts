/** How long a value that the origin gave may be kept. */
export interface Lifetime {
  /** False: it is for those who wait for it and for nobody else. */
  readonly isStorable: boolean;
  /** Milliseconds; null: what the namespace's `defaultTtlSeconds` says. */
  readonly ttlMs: number | null;
  /** Milliseconds until it is stale; null: never. Below `ttlMs`. */
  readonly softTtlMs: number | null;
}

/** What the configuration says where the answer does not. */
export interface LifetimeDefaults {
  readonly ttlSeconds: number | null;
  readonly softTtlSeconds: number | null;
}

/** Header fields by lower-case name. */
export type HeaderFields = Readonly<Record<string, string | string[] | undefined>>;

const NOT_KEPT: Lifetime = { isStorable: false, ttlMs: null, softTtlMs: null };
const SECONDS = /^\d{1,12}(\.\d{1,3})?$/;

/**
 * What the answer's header says of its lifetime: `X-TTL-Seconds` and `X-Soft-TTL-Seconds` (Ringside's own, as on its HTTP listener) before
 * `Cache-Control` (RFC 9111: `s-maxage` or `max-age`, less `Age`; `no-store`, `no-cache` and `private`; RFC 5861: `stale-while-revalidate`)
 * before the configuration. Fields that make no sense are as if they were not there.
 */
export function lifetimeOf(fields: HeaderFields, defaults: LifetimeDefaults): Lifetime {
  const control = directivesOf(fields['cache-control']);
  if (control.has('no-store') || control.has('no-cache') || control.has('private')) return NOT_KEPT;
  const ownTtl = secondsIn(fields['x-ttl-seconds']);
  const ownSoftTtl = secondsIn(fields['x-soft-ttl-seconds']);
  const maxAge = secondsIn(control.get('s-maxage')) ?? secondsIn(control.get('max-age'));
  const fresh = maxAge === null ? null : Math.max(0, maxAge - (secondsIn(fields.age) ?? 0));
  const graceSeconds = secondsIn(control.get('stale-while-revalidate')) ?? 0;
  const ttl = ownTtl ?? (fresh === null ? defaults.ttlSeconds : fresh + graceSeconds);
  const softFromControl = ownTtl === null && fresh !== null && graceSeconds > 0 ? fresh : null;
  const softTtl = ownSoftTtl ?? softFromControl ?? defaults.softTtlSeconds;
  if (ttl === 0) return NOT_KEPT;
  const isSoft = softTtl !== null && (ttl === null || softTtl < ttl);
  return { isStorable: true, ttlMs: inMs(ttl), softTtlMs: isSoft ? inMs(softTtl) : null };
}

function inMs(seconds: number | null): number | null {
  return seconds === null ? null : Math.ceil(seconds * 1000);
}

function secondsIn(field: string | string[] | undefined): number | null {
  const text = (Array.isArray(field) ? field[0] : field)?.trim() ?? '';
  return SECONDS.test(text) ? Number(text) : null;
}

function directivesOf(field: string | string[] | undefined): ReadonlyMap<string, string> {
  const text = Array.isArray(field) ? field.join(',') : (field ?? '');
  const parts = text.split(',').map((part) => part.split('='));
  return new Map(
    parts.map(([name, value = '']) => [name.trim().toLowerCase(), value.trim().replaceAll('"', '')]),
  );
}
