/** What permissions need to know of a command or subcommand. */
export interface AclCommand {
  /** Below `Catalogue.size`. */
  readonly id: number;
  /** Lower-case; a subcommand's is `container|name`. */
  readonly name: string;
  /** `@category` each. */
  readonly aclCategories: readonly string[];
  readonly subcommands: readonly AclCommand[];
  /** Everybody may execute it. */
  readonly noAuth: boolean;
}

/** The arguments of a command, as ranges of a buffer. */
export interface AclArgs {
  readonly count: number;
  readonly buffer: Buffer;
  start(i: number): number;
  end(i: number): number;
  bytes(i: number): Buffer;
  /** One character a byte. */
  latin1(i: number): string;
}

/** A key of a command: which argument it is, and what is done to it, in the words of Redis's key specifications. */
export interface AclKey {
  readonly index: number;
  readonly flags: readonly string[];
}

/** The commands that there are. */
export interface Catalogue {
  /** Names of all categories, in the order in which they are listed. */
  readonly categories: readonly string[];
  readonly commands: readonly AclCommand[];
  /** How many ids there are, those of subcommands included. */
  readonly size: number;
  /** The command of this name, in any case, or the subcommand as `container|name`. */
  find(name: string): AclCommand | undefined;
  /** The keys of a whole command whose name is argument `first`; null when nobody can tell. */
  keysOf(command: AclCommand, args: AclArgs, first: number): readonly AclKey[] | null;
}
