import { RecentViews } from '../../lib/base/index.ts';
import { replyNumber, skipBulk, skipReply } from '../../lib/codec/resp/index.ts';
import { errorReply, hasErrorCode } from '../core/frames.ts';
import type { AnsweredPart } from '../core/gather.ts';
import { type Range, valuesInOrder } from '../core/merge-keys.ts';
import type { MissedShare } from '../core/missed-share.ts';
import { copyOfReply, isFailed, Run, type RunParts } from './run.ts';

const ARRAY = 0x2a;
const NO_OWNERS = new Uint16Array(0);
const NONE: readonly number[] = [];
const views = new RecentViews();

/**
 * GETs of one client that are under way as one MGET for each shard.
 *
 * Where an MGET has no value, GET may have an error: for a key that is no string. So what nothing came of is asked for once more, for the error alone: a value would be younger
 * than what others of the run were answered with.
 */
export class GetRun extends Run {
  readonly #missed: MissedShare;

  constructor(parts: RunParts, missed: MissedShare) {
    super(parts, false);
    this.#missed = missed;
    missed.asked(parts.count);
  }

  protected override finish(answered: readonly AnsweredPart[]): void {
    const { connection, count, owners } = this.parts;
    const failures = answered.map((part, i) => failureOf(part, this.counts[i]));
    if (failures.some((failure) => failure !== null)) {
      connection.runs.failed();
      this.#answerApart(answered, failures);
      return;
    }
    connection.runs.went();
    const values = valuesInOrder(owners ?? NO_OWNERS, answered, this.counts);
    const missing = nullsIn(values, count);
    this.#missed.missed(missing.length);
    if (missing.length === 0) this.command.answer(values.bytes, values.start, values.end);
    else this.#lookForErrors(values, missing);
  }

  #lookForErrors(values: Range, missing: readonly number[]): void {
    const { command } = this;
    this.sendApart(missing, (answered) => {
      if (!answered.some(isFailed)) {
        command.answer(values.bytes, values.start, values.end);
        return;
      }
      const replies = elementsOf(values, this.parts.count);
      for (const [n, part] of answered.entries())
        if (isFailed(part)) replies[missing[n]] = copyOfReply(part.reply);
      this.parts.connection.divide(command, replies);
    });
  }

  /** Each is answered for itself: those of a part that has failed by what comes when they are sent as they came, while there is time. */
  #answerApart(answered: readonly AnsweredPart[], failures: readonly (Buffer | null)[]): void {
    const { connection, count } = this.parts;
    const elements = answered.map((part, i) => {
      const keys = this.counts[i];
      return failures[i] === null ? elementsOf(valuesInOrder(NO_OWNERS, [part], [keys]), keys) : null;
    });
    if (failures.some((failure) => failure !== null && isForMget(failure))) this.#missed.giveUp();
    const mayAskAgain = this.hasTime;
    const replies: Buffer[] = [];
    const again: number[] = [];
    for (let i = 0; i < count; i++) {
      const owner = this.ownerOf(i);
      const element = elements[owner]?.shift();
      replies.push(element ?? failures[owner]!);
      if (element === undefined ? mayAskAgain : isNull(element)) again.push(i);
    }
    this.sendApart(again, (parts) => {
      for (const [n, part] of parts.entries()) {
        const i = again[n];
        if (failures[this.ownerOf(i)] !== null || isFailed(part)) replies[i] = copyOfReply(part.reply);
      }
      connection.divide(this.command, replies);
    });
  }
}

/** What a part failed with; null of one that brought so many elements. */
function failureOf(part: AnsweredPart, count: number): Buffer | null {
  if (isFailed(part)) return copyOfReply(part.reply);
  const { bytes, start } = part.reply;
  if (bytes[start] === ARRAY && replyNumber(bytes, start) === count) return null;
  return errorReply(
    'internal',
    `shard ${part.route.name} answered MGET with something else than ${count} values`,
  );
}

/** Whether the command is refused for what it is, and not for what is wrong with the node. */
function isForMget(failure: Buffer): boolean {
  return hasErrorCode(failure, 0, 'NOPERM') || hasErrorCode(failure, 0, 'ERR');
}

/** Whether an element is `$-1`, or `_` in RESP3. */
function isNull(element: Buffer): boolean {
  return element[0] === 0x5f || (element[0] === 0x24 && element[1] === 0x2d);
}

/** Which of so many elements are null. */
function nullsIn({ bytes, start, end }: Range, count: number): readonly number[] {
  const view = views.of(bytes);
  let nulls: number[] | null = null;
  let at = start;
  for (let i = 0; i < count; i++) {
    const next = skipBulk(view, at);
    if (next > 0) at = next;
    else {
      const element = at;
      at = skipReply(bytes, at);
      if (!isNull(bytes.subarray(element, at))) continue;
      nulls ??= [];
      nulls.push(i);
    }
  }
  if (at !== end) throw new Error('an array has another length than its header says');
  return nulls ?? NONE;
}

function elementsOf({ bytes, start }: Range, count: number): Buffer[] {
  const elements: Buffer[] = [];
  for (let at = start; elements.length < count; ) {
    const end = skipReply(bytes, at);
    elements.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return elements;
}
