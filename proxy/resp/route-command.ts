import { keyHashHex } from '../../lib/ring/index.ts';
import { NO_BALANCE } from '../core/balance-port.ts';
import { NO_NEAR_CACHE } from '../core/near-port.ts';
import type { Handler } from './context.ts';

/** RS.ROUTE key: where commands on the key go, and why. Names and values in turn; in RESP3 a map. */
const runRoute: Handler = (connection, args) => {
  const { router } = connection.context;
  const route = router.routeOf(args.buffer, args.start(1), args.end(1));
  const { leader, followers } = route;
  const { writer } = connection;
  const l1 = router.near?.stateOf(args.bytes(1)) ?? NO_NEAR_CACHE;
  const balance = router.balance?.stateOf(args.bytes(1), route) ?? NO_BALANCE;
  const standIn = router.standInFor(route, args.buffer, args.start(1), args.end(1));
  const isOff = balance.decision === 'off';
  const fields: readonly (readonly [string, string | null])[] = [
    ['shard', route.name],
    ['node', leader?.name ?? null],
    ['followers', followers.map(({ name }) => name).join(',')],
    ['engine', route.engine],
    ['ring-epoch', router.ringEpoch],
    ['shard-epoch', route.epoch],
    ['hash', keyHashHex(args.bytes(1))],
    ['l1', l1.state],
    ['l1-age-ms', String(l1.ageMs)],
    ['decision', standIn === null ? (isOff ? 'leader' : balance.decision) : 'gutter'],
    ['decision-node', standIn?.name ?? (isOff ? (leader?.name ?? null) : balance.node)],
    ['load', String(balance.load)],
    ['load-cap', String(balance.cap)],
  ];
  writer.mapHeader(fields.length);
  for (const [name, value] of fields) {
    writer.bulkLatin1(name);
    if (value === null) writer.nullBulk();
    else writer.bulkUtf8(value);
  }
  connection.replyWritten();
};

/** What tells about the proxy's own decisions, by upper-case name. */
export const routeHandlers: Readonly<Record<string, Handler>> = { 'RS.ROUTE': runRoute };
