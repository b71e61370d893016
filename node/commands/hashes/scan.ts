import { HASH } from '../../store/index.ts';
import { HashValue } from '../../values/index.ts';
import { scanCollection } from '../collection-scan.ts';
import type { CommandHandlers } from '../command.ts';

const scan = scanCollection(HASH, 2, (keyspace, slot, { cursor, count }, isWanted, reply) =>
  HashValue.open(keyspace, slot).scan(cursor, count, (field, fieldStart, fieldEnd, value, start, end) => {
    if (!isWanted(field, fieldStart, fieldEnd)) return;
    reply.bulk(field, fieldStart, fieldEnd);
    reply.bulk(value, start, end);
  }),
);

/** The walk through a hash in steps. */
export const hashScanCommands: CommandHandlers = { HSCAN: scan };
