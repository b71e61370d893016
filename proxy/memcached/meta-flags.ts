import { decodeKey, keyOf, type MemcachedKey } from './key.ts';
import { signedNumber, unsigned32, unsigned64, type Words, wordText } from './protocol/index.ts';

/** With the flag itself. */
const MAX_OPAQUE_BYTES = 32;
/** Words of a meta command, the first two included. */
const MAX_WORDS = 19;
const BAD_TOKEN = 'CLIENT_ERROR bad token in command line format';
const KNOWN_FLAGS = 'bNTRlOPLkstcfvhuqFCMJDI';

/** Key and flags of a meta command. */
export interface MetaFlags {
  readonly key: MemcachedKey;
  /** As the client wrote it, for flag k. */
  readonly givenKey: MemcachedKey;
  /** The flags in their order, each with its token. */
  readonly tokens: readonly string[];
  readonly isBinary: boolean;
  readonly isQuiet: boolean;
  /** Numbers of tokens, by flag: N T R F as numbers, C J D as digits, M as its letter. */
  readonly exptimes: Readonly<Partial<Record<'N' | 'T' | 'R', number>>>;
  readonly clientFlags: number;
  /** Null: none was given. */
  readonly cas: string | null;
  readonly initial: string;
  readonly delta: string;
  readonly mode: string;
}

/** Texts that differ between the commands. */
export interface MetaTexts {
  readonly tooMany: string;
  /** In place of whatever is wrong with a flag; null: that itself. */
  readonly badFlag: string | null;
}

/** What `md` and `ma` say of any wrong flag. */
export const VAGUE_TEXTS: MetaTexts = {
  tooMany: 'CLIENT_ERROR options flags too long',
  badFlag: 'CLIENT_ERROR invalid or duplicate flag',
};

interface Draft {
  tokens: string[];
  isBinary: boolean;
  isQuiet: boolean;
  exptimes: Partial<Record<'N' | 'T' | 'R', number>>;
  clientFlags: number;
  cas: string | null;
  initial: string;
  delta: string;
  mode: string;
}

/**
 * Reads key and flags, the latter from word `first` on, as memcached 1.6.18 does: a flag of any command is taken by every command, and has
 * no effect where it means nothing. Returns the line to answer otherwise.
 */
export function parseMeta(words: Words, first: number, texts: MetaTexts): MetaFlags | string {
  const givenKey = keyOf(words, 1);
  if (givenKey === null) return 'CLIENT_ERROR bad command line format';
  if (words.count > MAX_WORDS) return texts.tooMany;
  const draft: Draft = {
    tokens: [],
    isBinary: false,
    isQuiet: false,
    exptimes: {},
    clientFlags: 0,
    cas: null,
    initial: '0',
    delta: '1',
    mode: '',
  };
  const problem = readFlags(words, first, draft);
  if (problem !== null) return texts.badFlag ?? problem;
  const key = draft.isBinary ? decodeKey(givenKey) : givenKey;
  if (key === null) return texts.badFlag ?? 'CLIENT_ERROR error decoding key';
  if (draft.tokens.some((token) => token[0] === 'O' && token.length > MAX_OPAQUE_BYTES))
    return 'CLIENT_ERROR opaque token too long';
  return { ...draft, key, givenKey };
}

/** What is wrong with the flags: an unknown or repeated one at once, of bad tokens the last. */
function readFlags(words: Words, first: number, draft: Draft): string | null {
  let problem: string | null = null;
  let seen = '';
  for (let i = first; i < words.count; i++) {
    const token = wordText(words, i);
    const flag = token[0];
    if (flag >= '\x7f' || seen.includes(flag)) return 'CLIENT_ERROR duplicate flag';
    seen += flag;
    if (!KNOWN_FLAGS.includes(flag)) return 'CLIENT_ERROR invalid flag';
    draft.tokens.push(token);
    problem = readToken(words, i, flag, token, draft) ?? problem;
  }
  return problem;
}

function readToken(words: Words, i: number, flag: string, token: string, draft: Draft): string | null {
  const { buffer } = words;
  const from = words.start(i) + 1;
  const end = words.end(i);
  switch (flag) {
    case 'b':
      draft.isBinary = true;
      return null;
    case 'q':
      draft.isQuiet = true;
      return null;
    case 'N':
    case 'T':
    case 'R': {
      const exptime = signedNumber(buffer, from, end);
      if (exptime === null) return BAD_TOKEN;
      draft.exptimes[flag] = exptime;
      return null;
    }
    case 'F': {
      const flags = unsigned32(buffer, from, end);
      draft.clientFlags = flags ?? 0;
      return flags === null ? 'CLIENT_ERROR bad command line format' : null;
    }
    case 'C':
      draft.cas = unsigned64(buffer, from, end);
      return draft.cas === null ? BAD_TOKEN : null;
    case 'J':
    case 'D':
      return readNumber(unsigned64(buffer, from, end), flag, draft);
    case 'M':
      draft.mode = token.slice(1);
      return token.length === 2 ? null : 'CLIENT_ERROR incorrect length for M token';
    default:
      return null;
  }
}

function readNumber(digits: string | null, flag: 'J' | 'D', draft: Draft): string | null {
  if (digits === null) return `CLIENT_ERROR invalid numeric ${flag === 'J' ? 'initial' : 'delta'} value`;
  if (flag === 'J') draft.initial = digits;
  else draft.delta = digits;
  return null;
}

/** Whether a flag was given. */
export function hasFlag({ tokens }: MetaFlags, flag: string): boolean {
  return tokens.some((token) => token[0] === flag);
}
