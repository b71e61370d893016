import { SET } from '../../store/index.ts';
import { SetValue } from '../../values/index.ts';
import { scanCollection } from '../collection-scan.ts';
import type { CommandHandlers } from '../command.ts';

const scan = scanCollection(SET, 1, (keyspace, slot, { cursor, count }, isWanted, reply) =>
  SetValue.open(keyspace, slot).scan(cursor, count, (buffer, start, end) => {
    if (isWanted(buffer, start, end)) reply.bulk(buffer, start, end);
  }),
);

/** The walk through a set in steps. */
export const setScanCommands: CommandHandlers = { SSCAN: scan };
