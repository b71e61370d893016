import { BAD_SLOW_LOG_COUNT, DEFAULT_SLOW_LOG_ENTRIES, writeSlowLog } from '../../lib/metrics/index.ts';
import type { SlowEntry } from '../workers/questions.ts';
import { askThreads, OK, subcommandSyntax } from './ask.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';

/** Of all threads together, the newest first, no more than the log may have. */
function together(connection: RespConnection, logs: readonly (readonly SlowEntry[])[]): SlowEntry[] {
  const entries = logs.flat().sort((a, b) => b.id - a.id);
  return entries.slice(0, connection.context.settings.slowlogMaxLength);
}

const get: Handler = (connection, args) => {
  if (args.count > 3) return connection.replyError(subcommandSyntax(args));
  const count = args.count === 3 ? args.integer(2) : DEFAULT_SLOW_LOG_ENTRIES;
  if (count === null || count < -1) return connection.replyError(BAD_SLOW_LOG_COUNT);
  askThreads(connection, 'slowLog', { reset: false }, (logs) => {
    const entries = together(connection, logs);
    const shown = count === -1 ? entries : entries.slice(0, count);
    writeSlowLog(
      shown.map((entry) => ({ ...entry, args: entry.args.map((arg) => Buffer.from(arg, 'latin1')) })),
      connection.writer,
    );
    connection.replyWritten();
  });
};

const length: Handler = (connection) => {
  askThreads(connection, 'slowLog', { reset: false }, (logs) => {
    connection.writer.integer(together(connection, logs).length);
    connection.replyWritten();
  });
};

/** SLOWLOG and its subcommands: commands that took the proxy's clients long, their nodes' time included. */
export const slowlogHandlers: Readonly<Record<string, Handler>> = {
  'SLOWLOG|GET': get,
  'SLOWLOG|LEN': length,
  'SLOWLOG|RESET': (connection) =>
    askThreads(connection, 'slowLog', { reset: true }, () => connection.reply(OK)),
};
