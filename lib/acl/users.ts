import type { Catalogue } from './catalogue.ts';
import { BAD_CHARACTERS } from './selector.ts';
import { User } from './user.ts';

const DEFAULT_RULES = ['on', 'nopass', '~*', '&*', '+@all'];

/** All users by name. The one called `default` is always there: who has not logged in is that one. */
export class Users {
  readonly default: User;
  readonly #catalogue: Catalogue;
  readonly #byName = new Map<string, User>();

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.default = new User('default', catalogue);
    for (const rule of DEFAULT_RULES) this.default.apply(rule, false);
    this.#byName.set('default', this.default);
  }

  get(name: string): User | undefined {
    return this.#byName.get(name);
  }

  /** In the order of their names' bytes. */
  all(): User[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether a new connection must log in. */
  get requireLogin(): boolean {
    return !this.default.needsNoPassword || !this.default.isEnabled;
  }

  /** Makes this the only password of the default user; an empty one: none is needed. */
  setDefaultPassword(password: string): void {
    this.default.apply('resetpass', false);
    this.default.apply(password === '' ? 'nopass' : `>${password}`, false);
  }

  /**
   * Tries rules of ACL SETUSER on a user who may be new. All or nothing: returns what the user would be, for `put`, or the text of an error
   * without its code.
   */
  prepare(name: string, rules: readonly string[], hasAllChannels: boolean): User | string {
    if (BAD_CHARACTERS.test(name)) return "Usernames can't contain spaces or null characters";
    const merged = mergeSelectors(rules);
    if (typeof merged === 'string') {
      return `Unmatched parenthesis in acl selector starting at '${merged}'.`;
    }
    const known = this.#byName.get(name);
    const user = known?.clone() ?? new User(name, this.#catalogue);
    if (!known && hasAllChannels) user.apply('allchannels', true);
    for (const rule of merged) {
      const problem = user.apply(rule, hasAllChannels);
      if (problem !== null) return `Error in ACL SETUSER modifier '${rule}': ${problem.text}`;
    }
    return user;
  }

  /** Makes a user what `prepare` returned; connections of that user go on with the new permissions. */
  put(user: User): void {
    const known = this.#byName.get(user.name);
    if (known) known.assign(user);
    else this.#byName.set(user.name, user);
  }

  /** Whether there was such a user; it is gone now. The default user stays. */
  delete(name: string): boolean {
    return name !== 'default' && this.#byName.delete(name);
  }
}

/** Puts selectors together that came as several arguments; the text where one begins that does not end. */
export function mergeSelectors(rules: readonly string[]): string[] | string {
  const merged: string[] = [];
  let open: string[] | null = null;
  for (const rule of rules) {
    if (rule.startsWith('(') && !rule.endsWith(')')) open = [rule];
    else if (open === null) merged.push(rule);
    else open.push(rule);
    if (open !== null && rule.endsWith(')')) {
      merged.push(open.join(' '));
      open = null;
    }
  }
  return open === null ? merged : open[0];
}
