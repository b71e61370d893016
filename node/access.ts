import {
  AclLog,
  type Catalogue,
  type Denial,
  execRefusalText,
  refusalText,
  type User,
  Users,
} from '../lib/acl/index.ts';
import type { Clock } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import { type CommandSpec, catalogueOf, lookupCommand } from '../lib/commands/index.ts';
import { handlers } from './commands/index.ts';
import type { Client } from './server/client.ts';
import type { ClientRegistry } from './server/client-registry.ts';
import type { Settings } from './settings.ts';

/** What the log of refusals says of a client: its line of CLIENT LIST. */
export type DescribeClient = (client: Client) => string;

/** Who may do what on this node. */
export class Access {
  /** The commands that this node answers. */
  readonly catalogue: Catalogue = catalogueOf(isAnswered);
  readonly users = new Users(this.catalogue);
  readonly log = new AclLog();
  readonly #clock: Clock;
  readonly #settings: Settings;
  readonly #clients: ClientRegistry;
  readonly #describe: DescribeClient;

  constructor(parts: {
    clock: Clock;
    settings: Settings;
    clients: ClientRegistry;
    describe: DescribeClient;
  }) {
    this.#clock = parts.clock;
    this.#settings = parts.settings;
    this.#clients = parts.clients;
    this.#describe = parts.describe;
    if (parts.settings.requirePass !== '') this.users.setDefaultPassword(latin1(parts.settings.requirePass));
  }

  /** The text that refuses the command; null when the client's user may execute it. A refusal is logged. */
  refusal(client: Client, spec: CommandSpec, args: Args): string | null {
    const denial = this.#check(client, spec, args);
    return denial && refusalText(denial, spec.name);
  }

  /** Whether the command, which the client may execute, may also read keys that it does not name. */
  readsAllKeys({ user }: Client, args: Args): boolean {
    if (user === null || user.isUnlimited) return true;
    const spec = lookupCommand(args.buffer, args.start(0), args.end(0));
    return spec !== undefined && user.readsAllKeys(spec, args);
  }

  /** As `refusal`, of a command that was allowed when its transaction took it up. */
  refusalInExec(client: Client, spec: CommandSpec, args: Args): string | null {
    const denial = this.#check(client, spec, args);
    return denial && execRefusalText(denial);
  }

  #check(client: Client, spec: CommandSpec, args: Args): Denial | null {
    if (client.user === null || client.user.isUnlimited) return null;
    const denial = client.user.denies(spec, args);
    if (denial === null) return null;
    const { kind, argument } = denial;
    client.lastCommand = spec.name;
    this.#log(client, kind, kind === 'command' ? spec.name : args.latin1(argument), client.user.name);
    return denial;
  }

  #log(client: Client, reason: Denial['kind'] | 'auth', object: string, user: string): void {
    const context = client.transaction === null && !client.isExecuting ? 'toplevel' : 'multi';
    const clientInfo = this.#describe(client);
    const atMs = this.#clock.wallMs();
    this.log.add({ reason, context, object, user, clientInfo, atMs }, this.#settings.aclLogMaxLength);
  }

  /** Makes the client this user if the password is right; else logs that, under the name of the command. */
  logIn(client: Client, name: string, password: string, command: string): boolean {
    const user = this.users.get(name);
    if (!user?.accepts(password)) {
      this.#log(client, 'auth', command, name);
      return false;
    }
    client.user = user;
    client.authenticated = true;
    return true;
  }

  /** Changes or makes a user; closes the connections that listen to channels they may not use any more. */
  put(user: User): void {
    const known = this.users.get(user.name);
    if (known) {
      for (const { client } of this.#connectionsOf(known))
        if (losesChannels(client, user)) this.#kill(client);
    }
    this.users.put(user);
  }

  /** Deletes a user and closes its connections; whether there was one. */
  delete(name: string): boolean {
    const user = this.users.get(name);
    if (!user || !this.users.delete(name)) return false;
    for (const { client } of this.#connectionsOf(user)) this.#kill(client);
    return true;
  }

  #connectionsOf(user: User) {
    return [...this.#clients.all()].filter(({ client }) => client.user === user);
  }

  #kill(client: Client): void {
    this.#clients.get(client.id)?.kill();
  }
}

/** Whether the client listens to something that the user may not listen to. */
function losesChannels({ subscriptions }: Client, user: User): boolean {
  if (subscriptions === null) return false;
  for (const channel of subscriptions.channels) if (!user.allowsChannel(channel, false)) return true;
  for (const channel of subscriptions.shardChannels) if (!user.allowsChannel(channel, false)) return true;
  for (const pattern of subscriptions.patterns) if (!user.allowsChannel(pattern, true)) return true;
  return false;
}

/** The bytes of a text, one character each. */
export function latin1(text: string): string {
  return Buffer.from(text).latin1Slice();
}

/** Whether this node answers the command itself, not only a subcommand of it. */
function isAnswered({ name }: CommandSpec): boolean {
  return name.toUpperCase() in handlers || name.startsWith('command');
}
