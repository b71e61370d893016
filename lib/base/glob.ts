const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
/** Redis gives up on a pattern that needs more stars than this. */
const MAX_STARS = 1000;

/**
 * Whether `text` matches a pattern of Redis's glob style: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that stands for
 * itself. An unclosed bracket ends at the end of the pattern, as in Redis.
 *
 * Takes at most |pattern| x |text| steps: only the last `*` is ever tried again. Beyond 1000 runs of stars nothing matches, as in Redis.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  let stars = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern.charCodeAt(p) === STAR) {
      while (pattern.charCodeAt(p + 1) === STAR) p++;
      if (p + 1 === pattern.length) return true;
      if (++stars > MAX_STARS) return false;
      starAt = p++;
      starText = t;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : 0;
    if (next !== 0) {
      p = next;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++starText;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p++;
  return p === pattern.length;
}

/** Where the pattern goes on when its element at `at` matches `code`; 0 when it does not. */
function matchOne(pattern: string, at: number, code: number): number {
  const element = pattern.charCodeAt(at);
  if (element === QUESTION) return at + 1;
  if (element === OPEN) return matchSet(pattern, at + 1, code);
  if (element === BACKSLASH && at + 1 < pattern.length) {
    return pattern.charCodeAt(at + 1) === code ? at + 2 : 0;
  }
  return element === code ? at + 1 : 0;
}

function matchSet(pattern: string, start: number, code: number): number {
  let at = start;
  const negated = pattern.charCodeAt(at) === CARET;
  if (negated) at++;
  let found = false;
  for (; at < pattern.length; at++) {
    let low = pattern.charCodeAt(at);
    if (low === CLOSE) break;
    if (low === BACKSLASH && at + 1 < pattern.length) {
      low = pattern.charCodeAt(++at);
      if (low === code) found = true;
    } else if (pattern.charCodeAt(at + 1) === DASH && at + 2 < pattern.length) {
      const high = pattern.charCodeAt(at + 2);
      if (code >= Math.min(low, high) && code <= Math.max(low, high)) found = true;
      at += 2;
    } else if (low === code) {
      found = true;
    }
  }
  if (found === negated) return 0;
  return Math.min(at + 1, pattern.length);
}
