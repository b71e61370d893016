import { noRing } from '../core/fan-out.ts';
import type { Handler } from './context.ts';

/** WAIT numreplicas timeout: by the rule of `WaitService`. */
export const runWait: Handler = (connection, args) => {
  const replicas = args.integer(1);
  const timeoutMs = args.integer(2);
  if (replicas === null) return connection.replyError('ERR value is not an integer or out of range');
  if (timeoutMs === null) return connection.replyError('ERR timeout is not an integer or out of range');
  if (timeoutMs < 0) return connection.replyError('ERR timeout is negative');
  const { router, wait } = connection.context;
  if (router.routes.length === 0) return connection.reply(noRing());
  connection.barrier((done) => {
    const routes = connection.written ?? new Set(router.routes);
    connection.waitsForEver = timeoutMs === 0;
    connection.onGone = wait.start([...routes], replicas, timeoutMs, (reply) => {
      connection.onGone = null;
      connection.waitsForEver = false;
      connection.waited();
      connection.reply(reply);
      done();
    });
  });
};
