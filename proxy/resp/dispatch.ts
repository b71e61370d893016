import type { RequestParser } from '../../lib/codec/resp/index.ts';
import {
  arityFits,
  type CommandSpec,
  commandIdCount,
  commands,
  lookupCommand,
  unknownCommandText,
  wrongArityText,
} from '../../lib/commands/index.ts';
import { noRing } from '../core/fan-out.ts';
import type { RespConnection } from './connection.ts';
import type { Handler } from './context.ts';
import { fanOutHandlers } from './fan-out-commands.ts';
import { forward } from './forward.ts';
import { keysHandlers } from './keys-commands.ts';
import { localHandlers, tellSupported } from './local-commands.ts';

/** What the proxy does with one command. */
interface Plan {
  readonly spec: CommandSpec;
  /** Position of the key of a command that is forwarded as it came; 0: it has a handler. */
  readonly keyIndex: number;
  readonly isWrite: boolean;
  readonly needsRing: boolean;
  readonly handler: Handler | null;
}

const plans: readonly (Plan | undefined)[] = makePlans();

/** Does what the command in `args` asks for. Every command gets exactly one reply, in order. */
export function dispatch(connection: RespConnection, args: RequestParser, nowMs: number): void {
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
  const plan = spec === undefined ? undefined : plans[spec.id];
  if (plan === undefined) {
    connection.replyError(
      connection.isAuthenticated ? unknownCommandText(args) : 'NOAUTH Authentication required.',
    );
    return;
  }
  if (!arityFits(plan.spec, args.count)) {
    connection.replyError(wrongArityText(plan.spec));
    return;
  }
  if (!connection.isAuthenticated && !plan.spec.noAuth) {
    connection.replyError('NOAUTH Authentication required.');
    return;
  }
  connection.lastCommand = plan.spec.name;
  if (plan.needsRing && connection.context.router.routes.length === 0) {
    connection.reply(noRing());
    return;
  }
  if (plan.keyIndex > 0) forward(connection, args, plan.keyIndex, plan.keyIndex, plan.isWrite, nowMs);
  else plan.handler!(connection, args, nowMs);
}

function makePlans(): (Plan | undefined)[] {
  const made: (Plan | undefined)[] = new Array(commandIdCount);
  for (const spec of commands) {
    const handler = localHandlers[spec.word] ?? fanOutHandlers[spec.word] ?? keysHandlers[spec.word] ?? null;
    const keyIndex = spec.routing === 'key' ? spec.firstKey : 0;
    // What has neither is unknown to the proxy, as it would be to a Redis that does not have it.
    if (keyIndex === 0 && handler === null) continue;
    const needsRing = localHandlers[spec.word] === undefined;
    made[spec.id] = { spec, keyIndex, isWrite: spec.isWrite, needsRing, handler };
  }
  tellSupported(new Set(made.filter((plan) => plan !== undefined).map(({ spec }) => spec.name)));
  return made;
}
