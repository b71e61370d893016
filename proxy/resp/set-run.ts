import { hasErrorCode } from '../core/frames.ts';
import type { AnsweredPart } from '../core/gather.ts';
import { copyOfReply, isFailed, MOST_COMMANDS, Run, type RunParts } from './run.ts';

const OK = Buffer.from('+OK\r\n');
const OKS = Buffer.from('+OK\r\n'.repeat(MOST_COMMANDS));

/** SETs of one client that are under way as one MSET for each shard. Those of an MSET that failed are sent as they came. */
export class SetRun extends Run {
  constructor(parts: RunParts) {
    super(parts, true);
  }

  protected override finish(answered: readonly AnsweredPart[]): void {
    const { runs } = this.parts.connection;
    if (answered.some(isFailed)) {
      runs.failed();
      this.#answerApart(answered);
    } else {
      runs.went();
      this.command.answer(OKS, 0, OK.length * this.command.times);
    }
  }

  /** Each is answered for itself; those that were certainly not executed by what comes when they are sent as they came, while there is time. */
  #answerApart(answered: readonly AnsweredPart[]): void {
    const { connection, count } = this.parts;
    const { hasTime } = this;
    const replies: Buffer[] = [];
    const again: number[] = [];
    for (let i = 0; i < count; i++) {
      const owner = this.ownerOf(i);
      const hasFailed = isFailed(answered[owner]);
      replies.push(hasFailed ? copyOfReply(answered[owner].reply) : OK);
      if (hasFailed && hasTime && !isUnknown(answered[owner])) again.push(i);
    }
    this.sendApart(again, (parts) => {
      for (const [n, { reply }] of parts.entries()) replies[again[n]] = copyOfReply(reply);
      connection.divide(this.command, replies);
    });
  }
}

/** Whether nobody knows if it was executed. */
function isUnknown({ reply }: AnsweredPart): boolean {
  return hasErrorCode(reply.bytes, reply.start, 'UNKNOWN');
}
