import { isErrorReply } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { type Answer, BAD_CHUNK, BAD_FORMAT, LineAnswer, TOO_LARGE, writeError } from './answer.ts';
import type { AnswerWriter } from './answer-writer.ts';
import type { MemcachedConnection } from './connection.ts';
import type { Counters } from './counters.ts';
import { ttlOf } from './expiry.ts';
import { writeFlags } from './meta-answer.ts';
import { hasFlag, type MetaFlags, type MetaTexts, parseMeta } from './meta-flags.ts';
import type { MemcachedParser } from './protocol/index.ts';
import { bulkText } from './reply-text.ts';
import { countCas, type Stored, storedOf } from './store-answer.ts';
import type { StoreMode, StoreOrder } from './store-command.ts';
import { ANY_VERSION, NO_VERSION } from './versions.ts';

const TEXTS: MetaTexts = { tooMany: 'CLIENT_ERROR options flags too long', badFlag: null };
const DOLLAR = 0x24;
const CODES: Readonly<Record<Stored, string>> = {
  STORED: 'HD',
  NOT_STORED: 'NS',
  EXISTS: 'EX',
  NOT_FOUND: 'NF',
};

/** What `ms` asks for, or what is wrong with it. */
export function parseMetaStore(
  { context }: MemcachedConnection,
  parser: MemcachedParser,
): StoreOrder | Answer {
  if (parser.blockBytes < 0) return BAD_FORMAT;
  const meta = parseMeta(parser, 3, TEXTS);
  if (typeof meta === 'string') return new LineAnswer(meta);
  const { cas, clientFlags, exptimes, mode } = meta;
  if (!/^[SEAPR]?$/.test(mode)) return new LineAnswer('CLIENT_ERROR invalid mode for ms M token');
  const isCas = cas !== null && /^[SR]?$/.test(mode);
  const version = cas ?? ANY_VERSION;
  return {
    key: meta.key,
    mode: isCas && hasFlag(meta, 'I') ? 'L' : ((mode || 'S') as StoreMode),
    flags: clientFlags,
    ttlMs: ttlOf(exptimes.T ?? 0, context.router.env.clock.wallMs()),
    version: isCas && version === ANY_VERSION ? NO_VERSION : version,
    isMeta: true,
    wantsVersion: hasFlag(meta, 'c'),
    answer: new MetaStoreAnswer(meta, isCas),
    badChunk: BAD_CHUNK,
    tooLarge: TOO_LARGE,
  };
}

class MetaStoreAnswer implements Answer {
  readonly parts = null;
  readonly #meta: MetaFlags;
  readonly #isCas: boolean;

  constructor(meta: MetaFlags, isCas: boolean) {
    this.#meta = meta;
    this.#isCas = isCas;
  }

  write(out: AnswerWriter, request: Request, counters: Counters): void {
    counters.cmd_set++;
    counters.cmd_meta++;
    if (isErrorReply(request.bytes, request.start)) {
      writeError(out, request);
      return;
    }
    const stored = storedOf(request);
    if (this.#isCas) countCas(counters, stored);
    if (stored === 'STORED' && this.#meta.isQuiet) return;
    out.text(CODES[stored]);
    writeFlags(out, this.#meta, {
      version: request.bytes[request.start] === DOLLAR ? bulkText(request) : '0',
    });
    out.text('\r\n');
  }
}
