import type { RespWriter } from '../../../lib/codec/resp/index.ts';
import { ZSET } from '../../store/index.ts';
import { ZsetValue } from '../../values/index.ts';
import { type CommandHandler, type CommandHandlers, WRONG_TYPE } from '../command.ts';
import { storeMembers } from '../sorted-sets/stored.ts';
import { type Area, cellsOf, distanceWithin } from './area.ts';
import { exactDistance } from './distance.ts';
import { type Position, positionOf, scoresOf } from './position.ts';
import { QueryParser, type SearchForm, type SearchQuery } from './query.ts';
import { replyDistance, replyPosition } from './reply.ts';
import { areaOf } from './shape.ts';

/** A member within the area; the member as text of one byte a character. */
interface Place {
  readonly member: string;
  readonly score: number;
  readonly position: Position;
  readonly distanceM: number;
}

/** The members within an area, cell by cell; at most `limit` of them unless that is 0. */
function placesWithin(zset: ZsetValue, area: Area, limit: number): Place[] {
  const places: Place[] = [];
  for (const cell of cellsOf(area)) {
    if (limit !== 0 && places.length >= limit) break;
    const { first, end } = scoresOf(cell);
    zset.walk(zset.countBelow(first, false), false, (buffer, start, stop, score) => {
      if (score >= end) return false;
      const position = positionOf(score);
      const distanceM = distanceWithin(area, position);
      if (distanceM >= 0) {
        places.push({ member: buffer.latin1Slice(start, stop), score, position, distanceM });
      }
      return limit === 0 || places.length < limit;
    });
  }
  return places;
}

/** The places that the query asks for, in its order. */
function search(zset: ZsetValue, query: SearchQuery): Place[] {
  const { count, isAny } = query;
  const area = areaOf(query.centre!, query.shape!);
  const places = placesWithin(zset, area, isAny ? count : 0);
  // The first few mean nothing without an order.
  const order = query.order === 'none' && count !== 0 && !isAny ? 'ascending' : query.order;
  if (order !== 'none') {
    const sign = order === 'ascending' ? 1 : -1;
    places.sort((a, b) => sign * (a.distanceM - b.distanceM));
  }
  return count === 0 || places.length <= count ? places : places.slice(0, count);
}

function replyPlaces(places: readonly Place[], query: SearchQuery, reply: RespWriter): void {
  const { withDistance, withHash, withPosition, shape } = query;
  const parts = 1 + Number(withDistance) + Number(withHash) + Number(withPosition);
  reply.arrayHeader(places.length);
  for (const { member, score, position, distanceM } of places) {
    if (parts > 1) reply.arrayHeader(parts);
    reply.bulkLatin1(member);
    if (withDistance) replyDistance(distanceM / shape!.metresPerUnit, reply);
    // At the upper limits a position has more bits than a double's whole numbers.
    if (withHash) reply.integer(BigInt(Math.trunc(score)));
    if (withPosition) replyPosition(position, reply);
  }
}

function searchCommand(form: SearchForm): CommandHandler {
  const { keyAt } = form;
  const event = form.from === 'option' ? 'geosearchstore' : 'georadiusstore';
  return ({ keyspace }, args, reply) => {
    const slot = keyspace.read(args.buffer, args.start(keyAt), args.end(keyAt));
    if (slot !== 0 && keyspace.store.typeOf(slot) !== ZSET) return reply.error(WRONG_TYPE);
    const zset = slot === 0 ? null : ZsetValue.open(keyspace, slot);
    const query = new QueryParser(args, form, zset).parse();
    if (typeof query === 'string') return reply.error(query);
    const places = zset === null ? [] : search(zset, query);
    if (query.storeAt === 0) return replyPlaces(places, query, reply);
    const { centre, shape, storesDistance } = query;
    const members = places.map(({ member, score, position }) => ({
      member,
      score: storesDistance ? exactDistance(centre!, position) / shape!.metresPerUnit : score,
    }));
    storeMembers(keyspace, args, query.storeAt, members, event, reply);
  };
}

/** Commands that look for members within an area. */
export const searchCommands: CommandHandlers = {
  GEOSEARCH: searchCommand({ keyAt: 1, from: 'option', stores: 'never' }),
  GEOSEARCHSTORE: searchCommand({ keyAt: 2, from: 'option', stores: 'always' }),
  GEORADIUS: searchCommand({ keyAt: 1, from: 'position', stores: 'option' }),
  GEORADIUS_RO: searchCommand({ keyAt: 1, from: 'position', stores: 'never' }),
  GEORADIUSBYMEMBER: searchCommand({ keyAt: 1, from: 'member', stores: 'option' }),
  GEORADIUSBYMEMBER_RO: searchCommand({ keyAt: 1, from: 'member', stores: 'never' }),
};
