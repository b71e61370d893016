import { copyArgs, type RequestParser } from '../../lib/codec/resp/index.ts';
import {
  arityFits,
  type CommandSpec,
  lookupCommand,
  lookupSubcommand,
  unknownCommandText,
  unknownSubcommandText,
  wrongArityText,
} from '../../lib/commands/index.ts';
import { noRing } from '../core/fan-out.ts';
import type { LargeFrame } from '../core/large-frame.ts';
import { acquireRequest } from '../core/request.ts';
import { NO_COMMAND } from '../watch/resp-watch.ts';
import { GET } from './client-gets.ts';
import type { RespConnection } from './connection.ts';
import { forward } from './forward.ts';
import { NO_MODES } from './mode.ts';
import { readThrough } from './origin-commands.ts';
import { type Plan, plans } from './plans.ts';
import { rateRefusal } from './rates.ts';

/** No writes, but they may change data, or what others hear of it. */
const MAY_CHANGE: ReadonlySet<string> = new Set(['exec', 'pfcount', 'publish', 'spublish']);

/** What a slow log shows of an argument, and more. */
const SHOWN_BYTES = 256;
const NOAUTH = 'NOAUTH Authentication required.';

/** Does what the command in `args` asks for. Every command gets exactly one reply, in order. */
export function dispatch(connection: RespConnection, args: RequestParser, nowMs: number): void {
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
  let plan = spec === undefined ? undefined : plans[spec.id];
  if (plan === undefined) {
    refuse(connection, connection.isAuthenticated ? unknownCommandText(args) : NOAUTH);
    return;
  }
  if (plan.isContainer && args.count > 1) {
    const container = plan.spec;
    plan = subcommandOf(container, args);
    if (plan === undefined) {
      refuse(connection, connection.isAuthenticated ? unknownSubcommandText(container, args) : NOAUTH);
      return;
    }
  }
  if (!arityFits(plan.spec, args.count)) {
    refuse(connection, wrongArityText(plan.spec));
    return;
  }
  if (!connection.isAuthenticated && !plan.spec.noAuth) {
    refuse(connection, NOAUTH);
    return;
  }
  connection.commandId = plan.spec.id;
  if (!connection.user.isUnlimited) {
    const refusal = connection.context.access.refusal(connection, plan.spec, args);
    if (refusal !== null) {
      refuse(connection, refusal, plan.spec.id);
      return;
    }
  }
  if (connection.gets.areMarked && plan.spec.id !== GET && connection.endGets()) {
    runLater(connection, args, (run) => run());
    return;
  }
  if (--connection.context.watch.quiet < 0 && isHeld(connection, args, plan.spec)) return;
  if (connection.modes !== NO_MODES && isTaken(connection, args, plan.spec, nowMs)) return;
  if (plan.needsRing && connection.context.router.routes.length === 0) {
    connection.reply(noRing());
    return;
  }
  if (connection.context.fills !== null && readThrough(connection, plan.spec, args, nowMs)) return;
  if (plan.keyIndex > 0) forward(connection, args, plan.keyIndex, plan.keyIndex, plan.isWrite, nowMs);
  else plan.handler!(connection, args, nowMs);
}

function subcommandOf(container: CommandSpec, args: RequestParser): Plan | undefined {
  const sub = lookupSubcommand(container, args.buffer, args.start(1), args.end(1));
  return sub === undefined ? undefined : plans[sub.id];
}

/** The command is not executed, whatever mode is on. */
function refuse(connection: RespConnection, text: string, commandId = NO_COMMAND): void {
  connection.commandId = commandId;
  connection.replyError(text);
  for (const mode of connection.modes) mode.refused?.();
}

/** Shows the command to whoever wants to see it. True: it waits for the end of a pause, and comes again then; or was refused for being one too many. */
function isHeld(connection: RespConnection, args: RequestParser, spec: CommandSpec): boolean {
  const { commands, pause, monitors } = connection.context;
  if (pause.holds(spec.isWrite || MAY_CHANGE.has(spec.name)) && !connection.isComposing) {
    runLater(connection, args, (run) => pause.wait(run));
    return true;
  }
  const { rates } = connection.context.router.env;
  if (rates !== null && !connection.isComposing) {
    const refusal = rateRefusal(rates, connection, args, spec);
    if (refusal !== null) {
      refuse(connection, refusal, spec.id);
      return true;
    }
  }
  if (monitors.isOn && !connection.isComposing) monitors.note(connection, args, spec);
  connection.trace = commands.looksAt(spec, args, connection, args.frameEnd - args.frameStart);
  return false;
}

/** The command comes again once those before it are answered and `when` calls what it is given; those behind it wait. */
function runLater(connection: RespConnection, args: RequestParser, when: (run: () => void) => void): void {
  const kept = copyArgs(args);
  connection.barrier((done) => {
    when(() => {
      if (!connection.isClosed) dispatch(connection, kept, connection.lastActiveMs);
      done();
    });
  });
}

function isTaken(connection: RespConnection, args: RequestParser, spec: CommandSpec, nowMs: number): boolean {
  return connection.modes.some((mode) => mode.take(connection, args, spec, nowMs));
}

/** A command of which the last argument has not fully come, but which is known to go to one shard as it is. */
export interface PreparedLarge {
  readonly commandId: number;
  /** The command up to the last argument, and what a log shows of that. */
  readonly head: Buffer;
  readonly keyIndex: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly isWrite: boolean;
}

/** Null when the command (`args` after `peek`) has to be whole before anything can be decided. Its `head` is a copy. */
export function prepareLarge(connection: RespConnection, args: RequestParser): PreparedLarge | null {
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
  const plan = spec === undefined ? undefined : plans[spec.id];
  if (plan === undefined || plan.keyIndex === 0 || !connection.isAuthenticated) return null;
  if (connection.modes !== NO_MODES || !connection.user.isUnlimited) return null;
  // Every command is looked at.
  if (connection.context.watch.quiet <= 0) return null;
  // The key must not be the argument that has not come.
  if (!arityFits(plan.spec, args.count) || plan.keyIndex >= args.count - 1) return null;
  if (connection.context.router.routes.length === 0) return null;
  const { keyIndex, isWrite } = plan;
  const commandId = plan.spec.id;
  const { buffer, frameStart, frameEnd } = args;
  const headEnd = Math.min(frameEnd, args.start(args.count - 1) + SHOWN_BYTES);
  const head = Buffer.from(buffer.subarray(frameStart, headEnd));
  const keyStart = args.start(keyIndex) - frameStart;
  return { commandId, head, keyIndex, isWrite, keyStart, keyEnd: args.end(keyIndex) - frameStart };
}

/** Sends a prepared command whose rest has come. */
export function submitLarge(
  connection: RespConnection,
  prepared: PreparedLarge,
  large: LargeFrame,
  nowMs: number,
): void {
  const { router } = connection.context;
  const { pieces, bytes: restBytes } = large;
  const { head, keyIndex, isWrite, keyStart, keyEnd } = prepared;
  connection.commandId = prepared.commandId;
  if (connection.gets.areMarked && connection.endGets()) {
    connection.barrier((done) => {
      if (!connection.isClosed) submitLarge(connection, prepared, large, connection.lastActiveMs);
      done();
    });
    return;
  }
  const request = acquireRequest();
  request.bytes = head;
  request.end = head.length;
  request.rest = pieces;
  request.restBytes = restBytes;
  request.ownsRest = true;
  request.keyIndex = keyIndex;
  request.isWrite = isWrite;
  request.startedMs = nowMs;
  connection.append(request);
  router.submit(request, router.routeOf(head, keyStart, keyEnd));
}
