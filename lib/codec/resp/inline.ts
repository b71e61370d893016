const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;

const ESCAPES = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

/** C's isspace. */
function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Splits the line of an inline command into its arguments: `set k "a\x00\n"`, `get 'it\'s'`.
 * Null when quotes are unbalanced or a closing quote is not followed by a space. Rules: sdssplitargs of Redis.
 */
export function splitInline(text: Uint8Array): Buffer[] | null {
  // Redis reads the line as a C string: a NUL ends it.
  const nul = text.indexOf(0);
  const line = nul < 0 ? text : text.subarray(0, nul);
  const args: Buffer[] = [];
  const out = Buffer.allocUnsafe(line.length);
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at])) at++;
    if (at >= line.length) return args;
    let length = 0;
    while (at < line.length && !isSpace(line[at])) {
      const byte = line[at];
      if (byte !== QUOTE && byte !== APOSTROPHE) {
        out[length++] = byte;
        at++;
        continue;
      }
      const quoted =
        byte === QUOTE ? copyDoubleQuoted(line, at, out, length) : copySingleQuoted(line, at, out, length);
      if (quoted === null) return null;
      at = quoted.at;
      length = quoted.length;
      if (at < line.length && !isSpace(line[at])) return null;
    }
    args.push(Buffer.from(out.subarray(0, length)));
  }
}

interface Quoted {
  at: number;
  length: number;
}

function copyDoubleQuoted(line: Uint8Array, open: number, out: Buffer, length: number): Quoted | null {
  let at = open + 1;
  while (at < line.length && line[at] !== QUOTE) {
    if (line[at] !== BACKSLASH || at + 1 >= line.length) {
      out[length++] = line[at++];
      continue;
    }
    const high = at + 3 < line.length && line[at + 1] === 0x78 ? hexDigit(line[at + 2]) : -1;
    const low = high >= 0 ? hexDigit(line[at + 3]) : -1;
    if (low >= 0) {
      out[length++] = high * 16 + low;
      at += 4;
    } else {
      out[length++] = ESCAPES.get(line[at + 1]) ?? line[at + 1];
      at += 2;
    }
  }
  return at < line.length ? { at: at + 1, length } : null;
}

function copySingleQuoted(line: Uint8Array, open: number, out: Buffer, length: number): Quoted | null {
  let at = open + 1;
  while (at < line.length && line[at] !== APOSTROPHE) {
    if (line[at] === BACKSLASH && line[at + 1] === APOSTROPHE) at++;
    out[length++] = line[at++];
  }
  return at < line.length ? { at: at + 1, length } : null;
}
