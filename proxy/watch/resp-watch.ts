import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, commandIdCount, commands } from '../../lib/commands/index.ts';
import { errorCodeOf } from '../core/frames.ts';
import type { Request } from '../core/request.ts';
import { CommandWatch } from './command-watch.ts';
import type { ProxyWatch } from './proxy-watch.ts';
import { sentArgs } from './sent-args.ts';
import { type Subject, subjectOf, type Trace, type TracedClient } from './trace.ts';

const MINUS = 0x2d;
/** The number of what is no command: a refused one, or bytes that make no sense. */
export const NO_COMMAND = commandIdCount;

const specs = specsById();
const names = specs.map((spec) => spec?.name ?? 'none');
const waits = new Set(commands.filter(({ flags }) => flags.includes('blocking')).map(({ id }) => id));

/** Takes note of the commands of a thread's RESP clients. */
export class RespWatch extends CommandWatch {
  constructor(watch: ProxyWatch) {
    super(watch, { listener: 'resp', names, waits });
  }

  /** As `look`. */
  looksAt(spec: CommandSpec, args: Args, client: TracedClient, inputBytes: number): Trace | null {
    return this.look(() => subjectOf(spec, args), client, inputBytes);
  }

  /** The reply of a command is on its way out. */
  ended(request: Request, nowMs: number): void {
    const { bytes, start, trace, times } = request;
    this.figures.ended(request.commandId, request.startedMs, nowMs, bytes[start] === MINUS, times);
    if (trace !== null) this.tell(request, trace, nowMs, request.length, errorCodeOf(bytes, start) ?? 'ok');
  }

  protected override subjectOfSent({ commandId }: Request, part: Request): Subject | null {
    const spec = specs[commandId];
    return spec === undefined ? null : subjectOf(spec, sentArgs(part));
  }
}

function specsById(): (CommandSpec | undefined)[] {
  const found: (CommandSpec | undefined)[] = new Array(commandIdCount + 1).fill(undefined);
  for (const spec of commands.flatMap((one) => [one, ...one.subcommands])) found[spec.id] = spec;
  return found;
}

/** Lower-case name of a command by its id. */
export function commandName(id: number): string {
  return id === NO_COMMAND ? 'NULL' : names[id];
}
