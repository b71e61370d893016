import { DATABASES } from '../core/topology.ts';
import type { Handler } from './context.ts';

const OK = Buffer.from('+OK\r\n');

/**
 * SELECT: what follows is about another database, on other links to the nodes. Earlier commands are answered first, since one may concern
 * several databases (MOVE, COPY, FLUSHALL) and must not be overtaken.
 */
export const runSelect: Handler = (connection, args) => {
  const index = args.integer(1);
  if (index === null) connection.replyError('ERR value is not an integer or out of range');
  else if (index < 0 || index >= DATABASES) connection.replyError('ERR DB index is out of range');
  else if (index === connection.database) connection.reply(OK);
  else
    connection.barrier((done) => {
      connection.database = index;
      connection.reply(OK);
      done();
    });
};
