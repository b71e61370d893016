import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { acquireRequest, type Request } from '../core/request.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';

/**
 * Sends the command as it came to the shard of argument `routedBy`. `keyIndex`: position of its only key, or 0 when it has several.
 */
export function forward(
  connection: RespConnection,
  args: RequestParser,
  routedBy: number,
  keyIndex: number,
  isWrite: boolean,
  nowMs: number,
): void {
  const route = connection.context.router.routeOf(args.buffer, args.start(routedBy), args.end(routedBy));
  forwardTo(connection, args, route, keyIndex, isWrite, nowMs);
}

/** Sends the command as it came to `route`. `keyIndex` as for `forward`. */
export function forwardTo(
  connection: RespConnection,
  args: RequestParser,
  route: ShardRoute,
  keyIndex: number,
  isWrite: boolean,
  nowMs: number,
): void {
  const request = acquireRequest();
  request.bytes = args.buffer;
  request.start = args.frameStart;
  request.end = args.frameEnd;
  request.isWrite = isWrite;
  request.keyIndex = keyIndex;
  request.startedMs = nowMs;
  request.joined = connection.gets.markOf(connection.commandId, args);
  connection.append(request);
  connection.context.router.submit(request, route);
}

/** A place in the order of replies for a command that is answered by several requests of its own. */
export function placeholder(connection: RespConnection, nowMs: number): Request {
  const parent = acquireRequest();
  parent.keyIndex = -1;
  parent.startedMs = nowMs;
  connection.append(parent);
  return parent;
}
