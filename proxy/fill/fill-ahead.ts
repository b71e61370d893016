import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import type { Request } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import type { Fills } from './fills.ts';
import type { Origin } from './origin.ts';

/** Reads of memcached clients whose arguments are all keys. */
const MANY: ReadonlySet<string> = new Set(['RS.MCGET', 'RS.MCGETS']);
const META = 'RS.MCMETA';
/** Who says MISS wants to fill the key itself; QUIET is no use of it. */
const NOT_READ: ReadonlySet<string> = new Set(['MISS', 'QUIET']);

const DOT = 0x2e;
const LETTER_C = 0x43;
const LETTER_M = 0x4d;

interface Wanted {
  readonly origin: Origin;
  readonly key: Buffer;
}

/**
 * Has keys filled ahead of those reads whose answers are in a form of their own: what memcached clients ask for. The read is kept until its keys are there,
 * or known not to be, and sent then; so it sees what other reads of that moment do.
 */
export class FillAhead {
  readonly #fills: Fills;
  readonly #router: Router;
  /** The request that is being sent now has been here before. */
  #isPassing = false;

  constructor(fills: Fills, router: Router) {
    this.#fills = fills;
    this.#router = router;
  }

  /** A request is about to be sent for the first time. True: it is kept. */
  takes(request: Request): boolean {
    if (request.isWrite || request.rest !== null || this.#isPassing || !mayBeOne(request)) return false;
    const wanted = this.#wantedBy(request);
    if (wanted.length === 0) return false;
    void this.#fill(request, wanted);
    return true;
  }

  #wantedBy({ bytes, start }: Request): Wanted[] {
    const args = wordsOf(bytes, start);
    const name = args[0].latin1Slice();
    const isMeta = name === META;
    if (!isMeta && !MANY.has(name)) return [];
    if (isMeta && args.slice(2).some((word) => NOT_READ.has(word.latin1Slice()))) return [];
    return args.slice(1, isMeta ? 2 : undefined).flatMap((word) => {
      const origin = this.#fills.originOf(word, 0, word.length);
      return origin === null ? [] : [{ origin, key: Buffer.from(word) }];
    });
  }

  async #fill(request: Request, wanted: readonly Wanted[]): Promise<void> {
    const { database, startedMs } = request;
    const route = request.route!;
    const deadlineMs = startedMs + this.#router.env.settings.operationTimeoutMs;
    const failures = await Promise.all(
      wanted.map(({ origin, key }) => this.#fills.ensure(origin, { database, key }, deadlineMs)),
    );
    const failure = failures.find((one) => one !== null);
    if (failure !== undefined) {
      request.answerWith(Buffer.from(`-${failure.toResp()}\r\n`));
      return;
    }
    this.#isPassing = true;
    this.#router.submit(request, route);
    this.#isPassing = false;
  }
}

/** Whether the name of the command begins as those of memcached clients' reads do: of nearly all commands no more is looked at. */
function mayBeOne({ bytes, start }: Request): boolean {
  const at = replyLineEnd(bytes, replyLineEnd(bytes, start));
  return bytes[at + 3] === LETTER_M && bytes[at + 4] === LETTER_C && bytes[at + 2] === DOT;
}

/** The arguments of an encoded command, in place. */
function wordsOf(bytes: Buffer, start: number): Buffer[] {
  let at = replyLineEnd(bytes, start);
  return Array.from({ length: replyNumber(bytes, start) }, () => {
    const from = replyLineEnd(bytes, at);
    const to = from + replyNumber(bytes, at);
    at = to + 2;
    return bytes.subarray(from, to);
  });
}
