import { formatDouble } from '../../../lib/codec/resp/index.ts';
import { ZSET } from '../../store/index.ts';
import { ZsetValue } from '../../values/index.ts';
import { scanCollection } from '../collection-scan.ts';
import type { CommandHandlers } from '../command.ts';

/** Whole numbers up to here Redis keeps as such in a compact sorted set, and shows all their digits. */
const MAX_COMPACT_INTEGER = 2 ** 62;

/** A score as a scan shows it. */
function scoreText(score: number, isCompact: boolean): string {
  const isWhole = isCompact && Number.isInteger(score) && Math.abs(score) <= MAX_COMPACT_INTEGER;
  return isWhole && !Object.is(score, -0) ? BigInt(score).toString() : formatDouble(score);
}

/** The command that walks over a sorted set with a cursor. */
export const scanCommands: CommandHandlers = {
  ZSCAN: scanCollection(ZSET, 2, (keyspace, slot, { cursor, count }, isWanted, reply) => {
    const zset = ZsetValue.open(keyspace, slot);
    const isCompact = zset.encoding === 'listpack';
    return zset.scan(cursor, count, (buffer, start, end, score) => {
      if (isWanted(buffer, start, end)) {
        reply.bulk(buffer, start, end);
        reply.bulkLatin1(scoreText(score, isCompact));
      }
      return true;
    });
  }),
};
