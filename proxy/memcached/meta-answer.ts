import type { AnswerWriter } from './answer-writer.ts';
import type { MetaFlags } from './meta-flags.ts';

const SPACE = 0x20;

/** What the flags of an answer can tell; a flag without a field here is not answered. */
export interface MetaFields {
  readonly version?: string;
  readonly flags?: number;
  readonly bytes?: number;
  readonly idleSeconds?: number;
  readonly wasRead?: boolean;
  /** Time to live, of flag t that stands behind a flag T and before it. */
  readonly secondsBefore?: string;
  readonly secondsAfter?: string;
}

/** Writes opaque and key, and what is known of the item, for the flags that ask for it, in the order of the command. */
export function writeFlags(out: AnswerWriter, meta: MetaFlags, fields: MetaFields): void {
  let isTouched = false;
  for (const token of meta.tokens) {
    const flag = token[0];
    if (flag === 'T') isTouched = true;
    else if (flag === 'O') out.text(` ${token}`);
    else if (flag === 'k') writeKey(out, meta);
    else {
      const value = fieldOf(flag, fields, isTouched);
      if (value !== undefined) out.text(` ${flag}${value}`);
    }
  }
}

function fieldOf(flag: string, fields: MetaFields, isTouched: boolean): string | number | undefined {
  switch (flag) {
    case 'c':
      return fields.version;
    case 'f':
      return fields.flags;
    case 's':
      return fields.bytes;
    case 'l':
      return fields.idleSeconds;
    case 'h':
      return fields.wasRead === undefined ? undefined : Number(fields.wasRead);
    case 't':
      return isTouched ? fields.secondsAfter : fields.secondsBefore;
    default:
      return undefined;
  }
}

function writeKey(out: AnswerWriter, { givenKey, isBinary }: MetaFlags): void {
  out.text(' k');
  out.bytes(givenKey.buffer, givenKey.start, givenKey.end);
  if (!isBinary) return;
  out.byte(SPACE);
  out.text('b');
}
