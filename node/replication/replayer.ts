import type { Args } from '../../lib/codec/resp/index.ts';
import { type CommandSpec, lookupCommand, lookupSubcommand } from '../../lib/commands/index.ts';
import type { CommandContext } from '../commands/command.ts';
import { handlers } from '../commands/index.ts';
import type { Databases } from '../databases.ts';
import { Client } from '../server/client.ts';
import { ReplyWriter } from '../server/reply-writer.ts';
import type { NodeServices } from '../services.ts';

/** Executes commands of the stream on a follower, on behalf of nobody: no rule of roles, users or memory applies to them. */
export class Replayer {
  readonly #context: CommandContext;
  readonly #reply = new ReplyWriter();

  constructor(databases: Databases, node: NodeServices) {
    const client = new Client({
      id: 0,
      address: 'leader',
      localAddress: '',
      nowMs: node.clock.monotonicMs(),
      authenticated: true,
    });
    this.#context = { databases, keyspace: databases.at(0), node, client };
  }

  /** Executes the command in a database that exists. Returns the index of its first key, 0 for none; or the text of its error. */
  call(database: number, args: Args): number | string {
    const spec = specOf(args);
    const handler = spec && handlers[spec.name.toUpperCase()];
    if (!handler) return `a command that this node does not know: ${args.latin1(0)}`;
    const { errors } = this.#reply;
    this.#context.client.database = database;
    this.#context.keyspace = this.#context.databases.at(database);
    handler(this.#context, args, this.#reply);
    const text = this.#reply.take().latin1Slice();
    this.#reply.rewind();
    if (this.#reply.errors !== errors) return `${spec.name} answered ${text.trim()}`;
    return spec.firstKey;
  }
}

/** The command, or the subcommand that it names. */
function specOf(args: Args): CommandSpec | undefined {
  const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
  if (spec === undefined || spec.subcommands.length === 0 || args.count < 2) return spec;
  return lookupSubcommand(spec, args.buffer, args.start(1), args.end(1)) ?? spec;
}
