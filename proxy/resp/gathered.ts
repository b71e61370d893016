import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandTable, keysOf } from '../../lib/commands/index.ts';
import { isErrorReply } from '../core/frames.ts';
import { type AnsweredPart, Gather } from '../core/gather.ts';
import { routeOfKeys } from '../core/key-routes.ts';
import type { Router } from '../core/router.ts';
import type { ShardRoute } from '../core/topology.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { forwardTo, placeholder } from './forward.ts';
import { inOrder } from './keys-commands.ts';

/** One request of a read that is gathered. */
export interface GatherPart {
  readonly route: ShardRoute;
  readonly frame: Buffer;
}

/** What is asked of the shards, in RESP2, and what becomes of their replies when none is an error. */
export interface Gathering {
  readonly parts: readonly GatherPart[];
  merge(parts: readonly AnsweredPart[], connection: RespConnection): Buffer;
}

/** Works out what a command whose keys are on several shards needs; the text of an error when its arguments are wrong. */
export type Prepare = (router: Router, args: RequestParser, keys: readonly number[]) => Gathering | string;

/**
 * A read (`gather`): forwarded whole when one shard has all keys, else its parts are fetched and put together here. Each shard is read at a
 * moment of its own, as by MGET.
 */
export function gathered(word: string, prepare: Prepare): Handler {
  const spec = commandTable.get(word) as CommandSpec;
  return (connection, args, nowMs) => {
    const { router } = connection.context;
    const route = routeOfKeys(router, spec, args);
    if (route !== null) {
      forwardTo(connection, args, route, 0, spec.isWrite, nowMs);
      return;
    }
    const keys = (keysOf(spec, args) ?? []).map(({ index }) => index);
    const gathering = prepare(router, args, keys);
    if (typeof gathering === 'string') connection.replyError(gathering);
    else inOrder(connection, () => gather(connection, gathering, nowMs));
  };
}

function gather(connection: RespConnection, { parts, merge }: Gathering, nowMs: number): void {
  const { router, maxHeldBytes } = connection.context;
  const finish = (answers: readonly AnsweredPart[]) => firstError(answers) ?? merge(answers, connection);
  const gatherer = Gather.merging(placeholder(connection, nowMs), finish, {
    protocol: 2,
    maxBytes: maxHeldBytes,
  });
  for (const { route, frame } of parts) gatherer.send(router, route, frame, false);
  gatherer.seal();
}

function firstError(parts: readonly AnsweredPart[]): Buffer | null {
  const failed = parts.find(({ reply }) => isErrorReply(reply.bytes, reply.start));
  if (failed === undefined) return null;
  const { bytes, start, end } = failed.reply;
  return Buffer.from(bytes.subarray(start, end));
}
