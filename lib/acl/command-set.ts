import type { AclCommand, Catalogue } from './catalogue.ts';
import { NO_FIRST_ARGUMENT, type RuleProblem, SYNTAX, UNKNOWN_COMMAND } from './rule-problem.ts';

/** All commands, each followed by its subcommands. */
function everyCommand({ commands }: Catalogue): AclCommand[] {
  return commands.flatMap((spec) => [spec, ...spec.subcommands]);
}

/** The commands and subcommands of a category, by its name in any case; null when there is no such category. */
export function commandsOf(category: string, catalogue: Catalogue): AclCommand[] | null {
  const name = category.toLowerCase();
  if (!catalogue.categories.includes(name)) return null;
  return everyCommand(catalogue).filter((spec) => spec.aclCategories.includes(`@${name}`));
}

/** The commands that somebody may execute. */
export class CommandSet {
  readonly #catalogue: Catalogue;
  readonly #allowed: Uint8Array;
  /** Of commands that are not allowed as a whole: first arguments with which they are, in lower case. */
  readonly #firstArguments = new Map<number, string[]>();
  /** Everything is allowed, also what a later release adds. */
  isAll = false;

  /** Begins with none. */
  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.#allowed = new Uint8Array(catalogue.size);
  }

  clone(): CommandSet {
    const copy = new CommandSet(this.#catalogue);
    copy.#allowed.set(this.#allowed);
    for (const [id, words] of this.#firstArguments) copy.#firstArguments.set(id, [...words]);
    copy.isAll = this.isAll;
    return copy;
  }

  has(spec: AclCommand): boolean {
    return this.#allowed[spec.id] === 1;
  }

  /** Every command that there is is allowed, and every one to come. */
  get isUnlimited(): boolean {
    return this.isAll && !this.#allowed.includes(0);
  }

  /** Whether the command is allowed with this first argument. */
  hasFirstArgument(spec: AclCommand, argument: string): boolean {
    return this.#firstArguments.get(spec.id)?.includes(argument.toLowerCase()) === true;
  }

  setAll(isAllowed: boolean): void {
    this.#allowed.fill(isAllowed ? 1 : 0);
    this.#firstArguments.clear();
    this.isAll = isAllowed;
  }

  /** A command with its subcommands. Taking something away from all leaves what a later release adds. */
  #set(spec: AclCommand, isAllowed: boolean): void {
    for (const one of [spec, ...spec.subcommands]) this.#allowed[one.id] = isAllowed ? 1 : 0;
    this.#firstArguments.delete(spec.id);
  }

  #setCategory(category: string, isAllowed: boolean): RuleProblem | null {
    const specs = commandsOf(category, this.#catalogue);
    if (specs === null) return UNKNOWN_COMMAND;
    for (const spec of specs) this.#set(spec, isAllowed);
    return null;
  }

  /** Applies a rule that begins with + or -. */
  apply(rule: string): RuleProblem | null {
    const isAllowed = rule[0] === '+';
    const name = rule.slice(1);
    if (name.startsWith('@')) {
      if (name.toLowerCase() !== '@all') return this.#setCategory(name.slice(1), isAllowed);
      this.setAll(isAllowed);
      return null;
    }
    const spec = this.#catalogue.find(name);
    if (isAllowed && name.includes('|')) return this.#allowPart(name, spec);
    if (spec === undefined) return UNKNOWN_COMMAND;
    this.#set(spec, isAllowed);
    return null;
  }

  /** `command|subcommand`, or `command|first-argument` where a command has no subcommands. */
  #allowPart(name: string, spec: AclCommand | undefined): RuleProblem | null {
    const bar = name.lastIndexOf('|');
    const whole = this.#catalogue.find(name.slice(0, bar));
    const part = name.slice(bar + 1);
    if (whole === undefined) return UNKNOWN_COMMAND;
    if (whole.name.includes('|')) return NO_FIRST_ARGUMENT;
    if (part === '') return SYNTAX;
    if (whole.subcommands.length === 0) {
      const words = this.#firstArguments.get(whole.id) ?? [];
      if (!words.includes(part.toLowerCase())) words.push(part.toLowerCase());
      this.#firstArguments.set(whole.id, words);
      return null;
    }
    if (spec === undefined) return UNKNOWN_COMMAND;
    this.#set(spec, true);
    return null;
  }

  /**
   * Rules that make this set, as Redis finds them: everything or nothing, then the categories that fit best one after the other, then
   * single commands.
   */
  describe(): string {
    const base = new CommandSet(this.#catalogue);
    base.setAll(this.isAll);
    const rules = [this.isAll ? '+@all' : '-@all'];
    const sign = this.isAll ? '-' : '+';
    const rest = this.clone();
    const left = new Set(this.#catalogue.categories);
    for (let best = rest.#bestCategory(left); best !== null; best = rest.#bestCategory(left)) {
      left.delete(best);
      rules.push(`${sign}@${best}`);
      base.#setCategory(best, !this.isAll);
      rest.#setCategory(best, this.isAll);
    }
    for (const spec of everyCommand(this.#catalogue)) {
      const isAllowed = this.has(spec);
      if (base.has(spec) !== isAllowed) {
        rules.push(`${isAllowed ? '+' : '-'}${spec.name}`);
        base.#set(spec, isAllowed);
      }
      if (isAllowed) continue;
      for (const word of this.#firstArguments.get(spec.id) ?? []) rules.push(`+${spec.name}|${word}`);
    }
    return rules.join(' ');
  }

  /** The category most of whose commands differ from the base (everything, nothing) with the fewest that do not. */
  #bestCategory(left: ReadonlySet<string>): string | null {
    let best: { name: string; wrong: number; right: number } | null = null;
    for (const name of left) {
      const specs = commandsOf(name, this.#catalogue)!;
      const allowed = specs.filter((spec) => this.has(spec)).length;
      const right = this.isAll ? specs.length - allowed : allowed;
      const wrong = specs.length - right;
      if (right <= wrong) continue;
      if (best === null || wrong < best.wrong || (wrong === best.wrong && right > best.right)) {
        best = { name, wrong, right };
      }
    }
    return best?.name ?? null;
  }
}
