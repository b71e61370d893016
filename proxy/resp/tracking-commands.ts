import { type Args, copyArgs, encodeCommand } from '../../lib/codec/resp/index.ts';
import {
  commandTable,
  giveCaching,
  parseTracking,
  type TrackingState,
  writeTrackingInfo,
} from '../../lib/commands/index.ts';
import { mergeOf, noRing, toAllShards } from '../core/fan-out.ts';
import { isErrorReply } from '../core/frames.ts';
import { askThreads, OK } from './ask.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { placeholder } from './forward.ts';
import { ClientTracking } from './tracking.ts';

const PING = encodeCommand('PING');
const mergePings = mergeOf(commandTable.get('PING')!);

const runTracking: Handler = (connection, args, nowMs) => {
  const { connections, group } = connection.context;
  const elsewhere = group.isImmediate || connection.isComposing ? null : redirectOf(args);
  if (elsewhere === null || connections.has(elsewhere)) {
    track(connection, args, nowMs, (id) => connections.has(id));
    return;
  }
  const kept = copyArgs(args);
  askThreads(connection, 'hasClient', { id: elsewhere }, (answers) =>
    track(connection, kept, nowMs, () => answers.includes(true)),
  );
};

/** The client that invalidations are to go to; null: none is named, or nothing that makes sense. */
function redirectOf(args: Args): number | null {
  for (let i = 3; i < args.count - 1; i++)
    if (args.equalsIgnoreCase(i, 'REDIRECT')) return args.integer(i + 1);
  return null;
}

/** Commands change their way to the nodes: only between two of them. */
function track(
  connection: RespConnection,
  args: Args,
  nowMs: number,
  hasClient: (id: number) => boolean,
): void {
  const { tracking } = connection;
  const wanted = parseTracking(args, tracking?.state ?? null, hasClient);
  if (wanted !== 'off' && 'error' in wanted) {
    connection.replyError(wanted.error);
    return;
  }
  connection.barrier((done) => {
    if (wanted === 'off') {
      tracking?.end();
      connection.reply(OK);
    } else begin(connection, wanted.state, nowMs);
    done();
  });
}

function begin(connection: RespConnection, state: TrackingState, nowMs: number): void {
  const { router } = connection.context;
  if (router.routes.length === 0) {
    connection.reply(noRing());
    return;
  }
  if (connection.tracking === null) connection.tracking = new ClientTracking(connection, state);
  else connection.tracking.update(state);
  if (!state.isBroadcast) {
    connection.reply(OK);
    return;
  }
  // Keys that change from now on are told of, read or not: every node has to know.
  const { tracking } = connection;
  toAllShards(router, placeholder(connection, nowMs), PING, true, (parts) => {
    const merged = mergePings(parts);
    if (!isErrorReply(merged, 0)) return OK;
    if (connection.tracking === tracking) tracking.end();
    return merged;
  });
}

const runCaching: Handler = (connection, args) => {
  const problem = giveCaching(args, connection.tracking?.state ?? null);
  if (problem === null) connection.reply(OK);
  else connection.replyError(problem);
};

const runGetRedir: Handler = (connection) => {
  connection.writer.integer(connection.tracking?.state.redirect ?? -1);
  connection.replyWritten();
};

const runTrackingInfo: Handler = (connection) => {
  writeTrackingInfo(connection.tracking?.state ?? null, connection.writer);
  connection.replyWritten();
};

/** CLIENT TRACKING and what belongs to it, by upper-case name. */
export const trackingHandlers: Readonly<Record<string, Handler>> = {
  'CLIENT|TRACKING': runTracking,
  'CLIENT|CACHING': runCaching,
  'CLIENT|GETREDIR': runGetRedir,
  'CLIENT|TRACKINGINFO': runTrackingInfo,
};
