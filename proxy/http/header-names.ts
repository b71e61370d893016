const UPPER = new Set(['ttl']);

/** A header's name as people write it: `x-ttl-seconds` is `X-TTL-Seconds`. */
export function spellHeader(name: string): string {
  return name
    .split('-')
    .map((word) => (UPPER.has(word) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('-');
}
