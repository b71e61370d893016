import { parseCommand, replyLineEnd, replyNumber, skipReply } from '../../lib/codec/resp/index.ts';
import { PinnedSession } from '../core/pinned-session.ts';
import { type TransactionResult, TransactionRun } from '../core/transaction-run.ts';
import type { Unit } from '../core/unit.ts';
import type { RespConnection } from './connection.ts';

const ARRAY = 0x2a;

/** What EXEC is to do. */
export interface Execution {
  /** The commands for the shard; null: there are none. */
  readonly unit: Unit | null;
  /** Commands that the proxy answers, by their place among all. */
  readonly here: ReadonlyMap<number, Buffer>;
  /** The database afterwards; null: the same. */
  readonly selected: number | null;
}

/** Runs a transaction once every earlier command is answered, and answers EXEC. No later command is looked at before. */
export function execute(
  connection: RespConnection,
  execution: Execution,
  session: PinnedSession | null,
): void {
  connection.barrier((done) => {
    const { unit } = execution;
    connection.tracking?.executing(session === null && !unit?.selects);
    const finish = (result: TransactionResult | null) => {
      answer(connection, execution, result);
      connection.tracking?.executed();
      done();
    };
    if (unit === null) finish(null);
    else run(connection, unit, session, finish);
  });
}

function run(
  connection: RespConnection,
  unit: Unit,
  session: PinnedSession | null,
  finish: (result: TransactionResult) => void,
): void {
  const { router, privates } = connection.context;
  if (session === null && !unit.selects) {
    const lanes = connection.tracking?.lanes ?? privates.lanes;
    new TransactionRun(router, lanes, unit, finish).start();
    return;
  }
  const pinned = session ?? new PinnedSession(router, privates.pool, unit.shard);
  void pinned.run(unit).then(finish);
}

/** Replies to EXEC: as the node did, with what the proxy answers put in between. */
function answer(connection: RespConnection, execution: Execution, result: TransactionResult | null): void {
  const { unit, here, selected } = execution;
  const count = (unit?.commands ?? 0) + here.size;
  if (result !== null) {
    const { reply, route } = result;
    const hasRun = reply[0] === ARRAY && replyNumber(reply, 0) === unit!.commands;
    if (unit!.isWrite) connection.noteWritten(route);
    if (hasRun && selected !== null) connection.database = selected;
    if (!hasRun || here.size === 0) {
      connection.reply(reply);
      return;
    }
  }
  connection.compose(() => {
    connection.reply(Buffer.from(`*${count}\r\n`));
    interleave(connection, here, count, result?.reply ?? null);
  });
}

/** The elements one after the other: with the header before them they are one reply. */
function interleave(
  connection: RespConnection,
  here: ReadonlyMap<number, Buffer>,
  count: number,
  reply: Buffer | null,
): void {
  let at = reply === null ? 0 : replyLineEnd(reply, 0);
  for (let i = 0; i < count; i++) {
    const frame = here.get(i);
    if (frame !== undefined) connection.run(parseCommand(frame));
    else {
      const end = skipReply(reply!, at);
      connection.reply(reply!.subarray(at, end));
      at = end;
    }
  }
}
