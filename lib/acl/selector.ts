import { matchesGlob } from '../base/index.ts';
import type { AclArgs, AclCommand, AclKey, Catalogue } from './catalogue.ts';
import { channelsOf } from './channels.ts';
import { CommandSet } from './command-set.ts';
import { CHANNELS_AFTER_ALL, KEYS_AFTER_ALL, type RuleProblem, SYNTAX } from './rule-problem.ts';

const READ = 1;
const WRITE = 2;
const ALL = READ | WRITE;

/** What of a command is not allowed. Those further down are reported rather than those above. */
export type DeniedKind = 'command' | 'key' | 'channel';

/** Why a command is not allowed, and which of its arguments is the reason. */
export interface Denial {
  readonly kind: DeniedKind;
  /** Index of the argument; 0 for the command itself. */
  readonly argument: number;
}

interface KeyPattern {
  readonly glob: string;
  access: number;
}

/** A white space, or a zero. */
export const BAD_CHARACTERS = /[\0\t\n\v\f\r ]/;

const DENIED_COMMAND: Denial = { kind: 'command', argument: 0 };

/** One set of permissions: commands, on keys, on channels. Texts have one character a byte. */
export class Selector {
  readonly commands: CommandSet;
  readonly #catalogue: Catalogue;
  #allKeys = false;
  /** What each pattern of keys gives access to. */
  #keys = new Map<string, number>();
  #allChannels = false;
  #channels = new Set<string>();

  /** Begins with nothing allowed. */
  constructor(catalogue: Catalogue, commands: CommandSet = new CommandSet(catalogue)) {
    this.#catalogue = catalogue;
    this.commands = commands;
  }

  clone(): Selector {
    const copy = new Selector(this.#catalogue, this.commands.clone());
    copy.#allKeys = this.#allKeys;
    copy.#keys = new Map(this.#keys);
    copy.#allChannels = this.#allChannels;
    copy.#channels = new Set(this.#channels);
    return copy;
  }

  /** Nothing is forbidden. */
  get isUnlimited(): boolean {
    return this.commands.isUnlimited && this.#allKeys && this.#allChannels;
  }

  get hasAllChannels(): boolean {
    return this.#allChannels;
  }

  /** Whether any key may be read. */
  get readsAllKeys(): boolean {
    return this.#allKeys || ((this.#keys.get('*') ?? 0) & READ) !== 0;
  }

  /** Applies one rule of ACL SETUSER. */
  apply(rule: string): RuleProblem | null {
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
        return this.#setKeys(true);
      case 'resetkeys':
        return this.#setKeys(false);
      case 'allchannels':
      case '&*':
        return this.#setChannels(true);
      case 'resetchannels':
        return this.#setChannels(false);
      case 'allcommands':
        return this.commands.apply('+@all');
      case 'nocommands':
        return this.commands.apply('-@all');
    }
    if (rule[0] === '~' || rule[0] === '%') return this.#addKeys(rule);
    if (rule[0] === '&') return this.#addChannels(rule.slice(1));
    if (rule[0] === '+' || rule[0] === '-') return this.commands.apply(rule);
    return SYNTAX;
  }

  #setKeys(all: boolean): null {
    this.#allKeys = all;
    this.#keys.clear();
    return null;
  }

  #setChannels(all: boolean): null {
    this.#allChannels = all;
    this.#channels.clear();
    return null;
  }

  #addKeys(rule: string): RuleProblem | null {
    if (this.#allKeys) return KEYS_AFTER_ALL;
    const parsed = parseKeyRule(rule);
    if (parsed === null || BAD_CHARACTERS.test(parsed.glob)) return SYNTAX;
    this.#keys.set(parsed.glob, (this.#keys.get(parsed.glob) ?? 0) | parsed.access);
    return null;
  }

  #addChannels(glob: string): RuleProblem | null {
    if (this.#allChannels) return CHANNELS_AFTER_ALL;
    if (BAD_CHARACTERS.test(glob)) return SYNTAX;
    this.#channels.add(glob);
    return null;
  }

  /** Why the command, whose name is argument `first`, is not allowed; null when it is. */
  denies(spec: AclCommand, args: AclArgs, first = 0): Denial | null {
    if (!this.#allowsCommand(spec, args, first)) return DENIED_COMMAND;
    return this.#deniedKey(spec, args, first) ?? this.#deniedChannel(spec, args, first);
  }

  #allowsCommand(spec: AclCommand, args: AclArgs, first: number): boolean {
    if (spec.noAuth || this.commands.has(spec)) return true;
    const at = first + (spec.name.includes('|') ? 2 : 1);
    return at < args.count && this.commands.hasFirstArgument(spec, args.latin1(at));
  }

  #deniedKey(spec: AclCommand, args: AclArgs, first: number): Denial | null {
    if (this.#allKeys) return null;
    for (const reference of this.#catalogue.keysOf(spec, args, first) ?? []) {
      if (!this.#allowsKey(args.latin1(reference.index), accessOf(reference))) {
        return { kind: 'key', argument: reference.index };
      }
    }
    return null;
  }

  #allowsKey(key: string, access: number): boolean {
    for (const [glob, given] of this.#keys) {
      if ((given & access) === access && matchesGlob(glob, key)) return true;
    }
    return false;
  }

  #deniedChannel(spec: AclCommand, args: AclArgs, first: number): Denial | null {
    if (this.#allChannels) return null;
    const range = channelsOf(spec, args, first);
    for (let i = range.from; i < range.to; i++) {
      if (!this.allowsChannel(args.latin1(i), range.arePatterns)) return { kind: 'channel', argument: i };
    }
    return null;
  }

  /** Whether the channel may be used. A pattern of channels must be allowed in these very characters. */
  allowsChannel(channel: string, isPattern: boolean): boolean {
    if (this.#allChannels) return true;
    if (isPattern) return this.#channels.has(channel);
    for (const glob of this.#channels) if (matchesGlob(glob, channel)) return true;
    return false;
  }

  /** The key patterns as rules with spaces between. */
  describeKeys(): string {
    if (this.#allKeys) return '~*';
    return Array.from(this.#keys, ([glob, access]) => `${ACCESS_SIGNS[access]}${glob}`).join(' ');
  }

  /** The channel patterns as rules with spaces between. */
  describeChannels(): string {
    return this.#allChannels ? '&*' : Array.from(this.#channels, (glob) => `&${glob}`).join(' ');
  }

  /** Rules that make this selector. */
  describe(): string {
    const channels = this.#allChannels ? '&*' : `resetchannels ${this.describeChannels()}`.trimEnd();
    return [this.describeKeys(), channels, this.commands.describe()].filter((part) => part !== '').join(' ');
  }
}

const ACCESS_SIGNS: Readonly<Record<number, string>> = { [READ]: '%R~', [WRITE]: '%W~', [ALL]: '~' };

/** `~glob`, or `%R~glob`, `%W~glob`, `%RW~glob`; Redis also takes the latter without anything behind the letters. */
function parseKeyRule(rule: string): KeyPattern | null {
  if (rule[0] === '~') return { glob: rule.slice(1), access: ALL };
  const match = /^%([rR]?[wW]?|[wW][rR])(?:~(.*))?$/s.exec(rule);
  if (!match || match[1] === '') return null;
  const letters = match[1].toUpperCase();
  const access = (letters.includes('R') ? READ : 0) | (letters.includes('W') ? WRITE : 0);
  return { glob: match[2] ?? '', access };
}

/** What of a key a command needs. A command that only asks whether a key is there needs nothing. */
function accessOf({ flags }: AclKey): number {
  const reads = flags.includes('access') ? READ : 0;
  const writes = flags.some((flag) => flag === 'insert' || flag === 'delete' || flag === 'update')
    ? WRITE
    : 0;
  return reads | writes;
}
