import { abridged, type LoggedArgs, REDACTED } from '../../lib/metrics/index.ts';
import { errorCodeOf } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { CommandWatch } from '../watch/command-watch.ts';
import type { ProxyWatch } from '../watch/proxy-watch.ts';
import { sentArgs } from '../watch/sent-args.ts';
import type { Subject, Trace, TracedClient } from '../watch/trace.ts';
import { firstKeyOf } from './permission.ts';
import type { MemcachedParser } from './protocol/index.ts';

const MINUS = 0x2d;
const FIRST_WORD = /^[A-Z_]+/;

/** The error that was answered last, and how many were. */
interface Failed {
  readonly failure: string | null;
  readonly failures: number;
}

/** Takes note of the commands of a thread's memcached clients. */
export class MemcachedWatch extends CommandWatch {
  readonly #names: readonly string[];

  /** `names` by number. */
  constructor(watch: ProxyWatch, names: readonly string[]) {
    super(watch, { listener: 'memcached', names });
    this.#names = names;
  }

  /** As `look`, of the command in `parser`. */
  looksAt(parser: MemcachedParser, client: TracedClient, command: string): Trace | null {
    return this.look(() => subjectOf(command, parser), client, parser.frameEnd - parser.frameStart);
  }

  /** As `look`, of one that tells a password. */
  looksAtSecret(parser: MemcachedParser, client: TracedClient, command: string): Trace | null {
    const subject = { command, args: [Buffer.from(command), REDACTED], key: null };
    return this.look(() => subject, client, parser.frameEnd - parser.frameStart);
  }

  /** The answer to a command, or to several alike, is on its way out: so many bytes, of which so many errors with this line as the last. */
  ended(request: Request, nowMs: number, outputBytes: number, { failure, failures }: Failed): void {
    const { bytes, start, trace, commandId, startedMs, times } = request;
    if (times === 1)
      this.figures.ended(commandId, startedMs, nowMs, failure !== null || bytes[start] === MINUS);
    else {
      if (failures > 0) this.figures.ended(commandId, startedMs, nowMs, true, failures);
      if (failures < times) this.figures.ended(commandId, startedMs, nowMs, false, times - failures);
    }
    if (trace === null) return;
    const result = errorCodeOf(bytes, start) ?? FIRST_WORD.exec(failure ?? '')?.[0] ?? 'ok';
    this.tell(request, trace, nowMs, outputBytes, result);
  }

  /** What was sent to the node, under the name of what the client asked for. */
  protected override subjectOfSent({ commandId }: Request, part: Request): Subject {
    const command = this.#names[commandId];
    const sent = sentArgs(part);
    const args = [Buffer.from(command), ...abridged(sent, never).slice(1)];
    return { command, args, key: sent.count > 1 ? sent.bytes(1) : null };
  }
}

const never = () => false;

function subjectOf(command: string, parser: MemcachedParser): Subject {
  return { command, args: abridged(wordsOf(command, parser), never), key: firstKeyOf(parser) };
}

/** The words of the line, and the block behind it as far as it is there. */
function wordsOf(command: string, parser: MemcachedParser): LoggedArgs {
  const { buffer, count, blockBytes, blockStart, frameEnd, isTooLong } = parser;
  const words: Buffer[] = [Buffer.from(command)];
  for (let i = 1; i < count; i++) words.push(buffer.subarray(parser.start(i), parser.end(i)));
  if (blockBytes >= 0 && !isTooLong)
    words.push(buffer.subarray(blockStart, Math.min(blockStart + blockBytes, frameEnd)));
  return {
    count: words.length,
    length: (i) => words[i].length,
    bytes: (i) => words[i],
    copy: (i) => Buffer.from(words[i]),
  };
}
