import {
  AclLog,
  type Catalogue,
  type Denial,
  execRefusalText,
  readAclFile,
  refusalText,
  shownText,
  type User,
  Users,
} from '../../lib/acl/index.ts';
import type { Clock } from '../../lib/base/index.ts';
import type { Args } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import type { ProxySettings } from '../watch/settings.ts';

/** A client of whom it is known who it is. */
export interface KnownClient {
  user: User;
  /** What it listens to. */
  channels(): Iterable<{ readonly name: string; readonly isPattern: boolean }>;
  disconnect(): void;
}

/** A client as far as its permissions go. */
export interface GuardedClient extends KnownClient {
  /** Its line of CLIENT LIST. */
  describe(): string;
  /** Between MULTI and EXEC. */
  readonly isQueueing: boolean;
}

/** A change of users that all threads make in the same order. Texts have one character a byte. */
export type UserChange =
  | { readonly kind: 'set'; readonly name: string; readonly rules: readonly string[] }
  | { readonly kind: 'delete'; readonly names: readonly string[] }
  /** The whole of an ACL file. */
  | { readonly kind: 'load'; readonly text: string; readonly path: string }
  /** Of the default user; empty: none is needed. */
  | { readonly kind: 'password'; readonly password: string };

/** The error of a change, without its code, or how many users it was about. */
export type ChangeResult = { readonly error: string } | { readonly count: number };

/** Who may do what by way of this thread of the proxy. */
export class Access {
  readonly catalogue: Catalogue;
  readonly users: Users;
  readonly log = new AclLog();
  /** Each of them tells who is connected to one listener of this thread. */
  readonly clients: (() => Iterable<KnownClient>)[] = [];
  readonly #clock: Clock;
  readonly #settings: ProxySettings;

  constructor(catalogue: Catalogue, clock: Clock, settings: ProxySettings) {
    this.catalogue = catalogue;
    this.users = new Users(catalogue);
    this.#clock = clock;
    this.#settings = settings;
  }

  /** The text that refuses the command; null when the client may execute it. A refusal is logged. */
  refusal(client: GuardedClient, spec: CommandSpec, args: Args): string | null {
    const denial = this.#check(client, spec, args);
    return denial && refusalText(denial, spec.name);
  }

  /** As `refusal`, of a command that was allowed when its transaction took it up. */
  refusalInExec(client: GuardedClient, spec: CommandSpec, args: Args): string | null {
    const denial = this.#check(client, spec, args);
    return denial && execRefusalText(denial);
  }

  /** Makes the client this user if the password is right; else logs that, under the name of the command. Texts: one character a byte. */
  logIn(client: GuardedClient, name: string, password: string, command: string): boolean {
    const user = this.users.get(name);
    if (!user?.accepts(password)) {
      this.#note(client, 'auth', command, name);
      return false;
    }
    client.user = user;
    return true;
  }

  /** Makes a change, all of it or nothing, and closes the connections of users who are gone or may not listen any more. */
  change(change: UserChange): ChangeResult {
    switch (change.kind) {
      case 'set':
        return this.#set(change.name, change.rules);
      case 'delete':
        return { count: change.names.filter((name) => this.#delete(name)).length };
      case 'password':
        this.users.setDefaultPassword(change.password);
        return { count: 1 };
      case 'load':
        return this.#load(change.text, change.path);
    }
  }

  #check(client: GuardedClient, spec: CommandSpec, args: Args): Denial | null {
    const { user } = client;
    if (user.isUnlimited) return null;
    const denial = user.denies(spec, args);
    if (denial === null) return null;
    const { kind, argument } = denial;
    this.#note(client, kind, kind === 'command' ? spec.name : args.latin1(argument), user.name);
    return denial;
  }

  #note(client: GuardedClient, reason: Denial['kind'] | 'auth', object: string, user: string): void {
    const context = client.isQueueing ? 'multi' : 'toplevel';
    const clientInfo = client.describe();
    const atMs = this.#clock.wallMs();
    this.log.add({ reason, context, object, user, clientInfo, atMs }, this.#settings.aclLogMaxLength);
  }

  #set(name: string, rules: readonly string[]): ChangeResult {
    const user = this.users.prepare(name, rules, this.#settings.newUsersHaveAllChannels);
    if (typeof user === 'string') return { error: shownText(user) };
    this.#put(user);
    return { count: 1 };
  }

  #put(user: User): void {
    const known = this.users.get(user.name);
    if (known) {
      for (const client of this.#clientsOf(known)) if (losesChannels(client, user)) client.disconnect();
    }
    this.users.put(user);
  }

  #delete(name: string): boolean {
    const user = this.users.get(name);
    if (!user || !this.users.delete(name)) return false;
    for (const client of this.#clientsOf(user)) client.disconnect();
    return true;
  }

  #load(text: string, path: string): ChangeResult {
    const context = {
      path,
      catalogue: this.catalogue,
      hasAllChannels: this.#settings.newUsersHaveAllChannels,
    };
    const loaded = readAclFile(text, context);
    if (typeof loaded === 'string') return { error: shownText(loaded) };
    for (const { name } of this.users.all()) if (!loaded.get(name)) this.#delete(name);
    for (const user of loaded.all()) this.#put(user);
    return { count: loaded.all().length };
  }

  #clientsOf(user: User): KnownClient[] {
    return this.clients.flatMap((connected) => [...connected()]).filter((client) => client.user === user);
  }
}

/** Whether the client listens to something that the user may not listen to. */
function losesChannels(client: KnownClient, user: User): boolean {
  for (const { name, isPattern } of client.channels()) if (!user.allowsChannel(name, isPattern)) return true;
  return false;
}
