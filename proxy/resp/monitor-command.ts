import { OK } from './ask.ts';
import type { Handler } from './context.ts';
import { Monitoring } from './monitor-feed.ts';

/** Lines come behind the replies of all earlier commands. */
const runMonitor: Handler = (connection) => {
  connection.barrier((done) => {
    if (connection.modes.some((mode) => mode instanceof Monitoring)) {
      connection.reply(OK);
      done();
      return;
    }
    connection.enter(new Monitoring(connection));
    connection.context.monitors.add(connection, () => {
      connection.reply(OK);
      done();
    });
  });
};

/** MONITOR, by upper-case name. */
export const monitorHandlers: Readonly<Record<string, Handler>> = { MONITOR: runMonitor };
