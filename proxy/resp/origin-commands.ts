import { encodeCommand, type RequestParser, replyLineEnd } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable } from '../../lib/commands/index.ts';
import { hasErrorCode, isErrorReply } from '../core/frames.ts';
import { acquireRequest, type Request, releaseRequest, type Sink } from '../core/request.ts';
import type { Router } from '../core/router.ts';
import { type Fills, type FoundValue, OriginRead } from '../fill/index.ts';
import type { RespConnection } from './connection.ts';
import { placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';

const GET = commandTable.get('GET')!.id;
const MGET = commandTable.get('MGET')!.id;
const FIRST_KEY = 1;
const NULL_BULK = Buffer.from('$-1\r\n');
const NULL = Buffer.from('_\r\n');

/**
 * GET and MGET of keys that have an origin: what is not there is fetched. True: the command is taken. Within a transaction, a script or another command
 * a key that is not there is just that.
 */
export function readThrough(
  connection: RespConnection,
  { id }: CommandSpec,
  args: RequestParser,
  nowMs: number,
): boolean {
  const { fills } = connection.context;
  if (fills === null || (id !== GET && id !== MGET)) return false;
  let hasOrigin = false;
  for (let i = FIRST_KEY; i < args.count && !hasOrigin; i++)
    hasOrigin = fills.originOf(args.buffer, args.start(i), args.end(i)) !== null;
  if (!hasOrigin) return false;
  const keys: Buffer[] = [];
  for (let i = FIRST_KEY; i < args.count; i++)
    keys.push(Buffer.from(args.buffer.subarray(args.start(i), args.end(i))));
  inOrder(connection, () => {
    if (id === GET) readOne(connection, fills, keys[0], nowMs);
    else readMany(connection, fills, keys, nowMs);
  });
  return true;
}

/** A client with connections of its own to the nodes: what comes over them tells nothing of the order of everybody else's replies. */
function laneOf(connection: RespConnection): string {
  const { context, id, protocol } = connection;
  return context.router.ownLinks.has(connection) ? `client-${id}` : `resp${protocol}`;
}

function readOne(connection: RespConnection, fills: Fills, key: Buffer, nowMs: number): void {
  const command = placeholder(connection, nowMs);
  const origin = fills.originOf(key, 0, key.length)!;
  const reader = { command, router: connection.context.router, lane: laneOf(connection) };
  const read = new OriginRead(fills, origin, key, reader, ({ bytes, start, end, rest, restBytes }) =>
    command.answerInPieces(bytes, start, end, rest, restBytes),
  );
  read.send();
}

function readMany(connection: RespConnection, fills: Fills, keys: readonly Buffer[], nowMs: number): void {
  const { router } = connection.context;
  const command = placeholder(connection, nowMs);
  const reader = { command, router: connection.context.router, lane: laneOf(connection) };
  const found = new Array<FoundValue>(keys.length);
  let missing = keys.length;
  for (const [place, key] of keys.entries()) {
    const origin = fills.originOf(key, 0, key.length);
    const done = (value: FoundValue) => {
      found[place] = value;
      if (--missing === 0) answerMany(command, found);
    };
    if (origin === null) new PlainRead(command, done).send(router, key);
    else new OriginRead(fills, origin, key, reader, done).send();
  }
}

/** As MGET of a node: a key of another type is none; anything else that fails makes the whole fail. */
function answerMany(command: Request, found: readonly FoundValue[]): void {
  const pieces: Buffer[] = [];
  let restBytes = 0;
  for (const { bytes, start, end, rest, restBytes: more } of found) {
    const isError = isErrorReply(bytes, start);
    if (isError && !hasErrorCode(bytes, start, 'WRONGTYPE')) {
      command.answer(bytes, start, end);
      return;
    }
    const head = isError ? nullOf(command) : bytes.subarray(start, end);
    pieces.push(head);
    if (rest !== null) pieces.push(...rest);
    restBytes += head.length + more;
  }
  const head = Buffer.from(`*${found.length}\r\n`);
  command.answerInPieces(head, 0, head.length, pieces, restBytes);
}

function nullOf({ protocol }: Request): Buffer {
  return protocol === 3 ? NULL : NULL_BULK;
}

/** A key without an origin among some that have one. */
class PlainRead implements Sink {
  readonly command: Request;
  readonly #done: (found: FoundValue) => void;

  constructor(command: Request, done: (found: FoundValue) => void) {
    this.command = command;
    this.#done = done;
  }

  send(router: Router, key: Buffer): void {
    const { command } = this;
    const request = acquireRequest();
    request.bytes = encodeCommand('MGET', key);
    request.end = request.bytes.length;
    request.keyIndex = FIRST_KEY;
    request.protocol = command.protocol;
    request.database = command.database;
    request.fromLeader = command.fromLeader;
    request.startedMs = command.startedMs;
    request.sink = this;
    router.submit(request, router.routeOf(key, 0, key.length));
  }

  ready(request: Request): void {
    const { bytes, start, end, rest, restBytes } = request;
    this.command.isPossiblyStale ||= request.isPossiblyStale;
    releaseRequest(request);
    const from = isErrorReply(bytes, start) ? start : replyLineEnd(bytes, start);
    this.#done({ bytes, start: from, end, rest, restBytes });
  }
}
