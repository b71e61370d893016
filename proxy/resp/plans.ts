import {
  type CommandSpec,
  commandIdCount,
  commands,
  helpReply,
  type KeyRange,
  keyRangesOf,
} from '../../lib/commands/index.ts';
import { aclHandlers } from './acl-commands.ts';
import { blockingHandlers } from './blocking-commands.ts';
import { clientHandlers } from './client-commands.ts';
import { configHandlers } from './config-commands.ts';
import type { Handler } from './context.ts';
import { fanOutHandlers, onAllShards } from './fan-out-commands.ts';
import { gatherHandlers } from './gather-commands.ts';
import { keysHandlers, onOneShard, splitByKeys } from './keys-commands.ts';
import { latencyHandlers } from './latency-commands.ts';
import { isAnsweredHere, localHandlers, tellSupported } from './local-commands.ts';
import { monitorHandlers } from './monitor-command.ts';
import { pubsubHandlers } from './pubsub-commands.ts';
import { onRingsideKeys, onRingsideShards } from './ringside-commands.ts';
import { routeHandlers } from './route-command.ts';
import { slowlogHandlers } from './slowlog-commands.ts';
import { trackingHandlers } from './tracking-commands.ts';
import { transactionHandlers } from './transaction-commands.ts';
import { wordHandler } from './word-commands.ts';

/** What the proxy does with one command, or subcommand. */
export interface Plan {
  readonly spec: CommandSpec;
  /** Position of the key of a command that is forwarded as it came; 0: it has a handler. */
  readonly keyIndex: number;
  readonly isWrite: boolean;
  readonly needsRing: boolean;
  /** Its subcommands have plans of their own. */
  readonly isContainer: boolean;
  /** Null when it is forwarded by its one key, and of a container. */
  readonly handler: Handler | null;
}

/** Handlers of commands for which the table is not enough, by upper-case name; a subcommand's is `CONTAINER|NAME`. */
const handlers: Readonly<Record<string, Handler>> = {
  ...localHandlers,
  ...aclHandlers,
  ...clientHandlers,
  ...configHandlers,
  ...latencyHandlers,
  ...slowlogHandlers,
  ...fanOutHandlers,
  ...keysHandlers,
  ...gatherHandlers,
  ...routeHandlers,
  ...transactionHandlers,
  ...pubsubHandlers,
  ...trackingHandlers,
  ...monitorHandlers,
  ...blockingHandlers,
};

/** Sent to shards by plans that are made from the table alone. */
const SENT: ReadonlySet<string> = new Set(['key', 'multi', 'pairs', 'gather', 'all']);

function needsRing({ routing, routingByWord, keySpecs }: CommandSpec): boolean {
  return (
    SENT.has(routing) || routingByWord !== null || keySpecs.some(({ flags }) => !flags.includes('not_key'))
  );
}

function handlerFor(spec: CommandSpec): Handler | null {
  const own = handlers[spec.name.toUpperCase()];
  if (own !== undefined) return own;
  if (spec.routingByWord !== null) return wordHandler(spec);
  switch (spec.routing) {
    case 'key':
      return spec.group === 'ringside' ? onRingsideKeys(spec) : onOneShard(spec);
    case 'multi':
    case 'pairs':
      return splitByKeys(spec);
    case 'all':
      return spec.group === 'ringside' ? onRingsideShards(spec) : onAllShards(spec);
    default:
      return null;
  }
}

/** The position of the key of a command that always has exactly one; else 0. */
function onlyKey(spec: CommandSpec): number {
  const isForwarded = spec.routing === 'key' && spec.group !== 'ringside';
  const ranges: readonly KeyRange[] = (isForwarded && keyRangesOf(spec)) || [];
  const [range] = ranges;
  return ranges.length === 1 && range.first === range.last ? range.first : 0;
}

function planFor(spec: CommandSpec): Plan | undefined {
  const keyIndex = onlyKey(spec);
  const handler = keyIndex > 0 ? null : handlerFor(spec);
  // What has neither is unknown to the proxy, as it would be to a Redis that does not have it.
  if (keyIndex === 0 && handler === null) return undefined;
  return planOf(spec, { keyIndex, needsRing: needsRing(spec), handler });
}

function planOf(spec: CommandSpec, parts: Partial<Plan>): Plan {
  const { isWrite } = spec;
  return { spec, keyIndex: 0, isWrite, needsRing: false, isContainer: false, handler: null, ...parts };
}

/** Plans for the subcommands that the proxy answers, and HELP for them; false when it answers no other. */
function planSubcommands(container: CommandSpec, made: (Plan | undefined)[]): boolean {
  const found = container.subcommands.map(planFor).filter((plan) => plan !== undefined);
  if (found.length === 0) return false;
  for (const plan of found) made[plan.spec.id] = plan;
  const help = container.subcommands.find(({ word }) => word === 'HELP');
  if (help !== undefined) made[help.id] = planOf(help, { handler: helpOf(container) });
  return true;
}

function helpOf(container: CommandSpec): Handler {
  return (connection) => {
    helpReply(container, connection.writer, isAnsweredHere);
    connection.replyWritten();
  };
}

function makePlans(): readonly (Plan | undefined)[] {
  const made: (Plan | undefined)[] = new Array(commandIdCount).fill(undefined);
  for (const spec of commands) {
    const isContainer = spec.subcommands.length > 0 && handlers[spec.word] === undefined;
    if (!isContainer) made[spec.id] = planFor(spec);
    else if (planSubcommands(spec, made)) made[spec.id] = planOf(spec, { isContainer: true });
  }
  tellSupported(new Set(made.filter((plan) => plan !== undefined).map(({ spec }) => spec.name)));
  return made;
}

/** By id of the command or subcommand; undefined where the proxy has none. */
export const plans: readonly (Plan | undefined)[] = makePlans();
