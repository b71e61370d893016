import { createHash, timingSafeEqual } from 'node:crypto';
import type { AclArgs, AclCommand, Catalogue } from './catalogue.ts';
import { BAD_HASH, NO_SUCH_PASSWORD, type RuleProblem } from './rule-problem.ts';
import { type Denial, type DeniedKind, Selector } from './selector.ts';

const HASH = /^[0-9a-f]{64}$/;
/** Of two reasons the later one here is told. */
const SEVERITY: Readonly<Record<DeniedKind, number>> = { command: 0, key: 1, channel: 2 };

/** SHA-256 in hexadecimal digits of a password of one character a byte. */
export function passwordHash(password: string): string {
  return createHash('sha256').update(Buffer.from(password, 'latin1')).digest('hex');
}

/** Somebody who may log in and execute some commands. Texts have one character a byte. */
export class User {
  readonly name: string;
  readonly #catalogue: Catalogue;
  #isEnabled = false;
  #needsNoPassword = false;
  /** Whether payloads of RESTORE are checked; null when nothing was said. */
  #sanitizes: boolean | null = null;
  #passwords: string[] = [];
  /** The user's own permissions, and further ones of which one must allow the whole command. */
  #selectors: Selector[];
  #isUnlimited = false;

  /** Begins disabled, without passwords and permissions. */
  constructor(name: string, catalogue: Catalogue) {
    this.name = name;
    this.#catalogue = catalogue;
    this.#selectors = [new Selector(catalogue)];
  }

  /** A copy to try rules on. */
  clone(): User {
    const copy = new User(this.name, this.#catalogue);
    copy.assign(this);
    return copy;
  }

  /** Takes over everything from another user but the name. */
  assign(other: User): void {
    this.#isEnabled = other.#isEnabled;
    this.#needsNoPassword = other.#needsNoPassword;
    this.#sanitizes = other.#sanitizes;
    this.#passwords = [...other.#passwords];
    this.#selectors = other.#selectors.map((selector) => selector.clone());
    this.#isUnlimited = this.#selectors.some((selector) => selector.isUnlimited);
  }

  /** May do everything: nobody need ask. */
  get isUnlimited(): boolean {
    return this.#isUnlimited;
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  get needsNoPassword(): boolean {
    return this.#needsNoPassword;
  }

  /** Hashes, in hexadecimal digits. */
  get passwords(): readonly string[] {
    return this.#passwords;
  }

  get selectors(): readonly Selector[] {
    return this.#selectors;
  }

  /** Whether the user may log in with this password. */
  accepts(password: string): boolean {
    if (!this.#isEnabled) return false;
    if (this.#needsNoPassword) return true;
    const given = Buffer.from(passwordHash(password));
    let isKnown = false;
    for (const hash of this.#passwords) if (timingSafeEqual(given, Buffer.from(hash))) isKnown = true;
    return isKnown;
  }

  /** Why the user may not execute the command, whose name is argument `first`; null when he may. */
  denies(command: AclCommand, args: AclArgs, first = 0): Denial | null {
    let told: Denial | null = null;
    for (const selector of this.#selectors) {
      const denial = selector.denies(command, args, first);
      if (denial === null) return null;
      if (told === null || isMoreTelling(denial, told)) told = denial;
    }
    return told;
  }

  /** Whether what allows the user this command also lets it read keys that it does not name. */
  readsAllKeys(command: AclCommand, args: AclArgs): boolean {
    return this.#selectors.some(
      (selector) => selector.readsAllKeys && selector.denies(command, args) === null,
    );
  }

  /** Whether some selector allows the channel. */
  allowsChannel(channel: string, isPattern: boolean): boolean {
    return this.#selectors.some((selector) => selector.allowsChannel(channel, isPattern));
  }

  /** Applies one rule of ACL SETUSER. `hasAllChannels`: new permissions begin with all channels. */
  apply(rule: string, hasAllChannels: boolean): RuleProblem | null {
    const problem = this.#applyRule(rule, hasAllChannels);
    this.#isUnlimited = this.#selectors.some((selector) => selector.isUnlimited);
    return problem;
  }

  #applyRule(rule: string, hasAllChannels: boolean): RuleProblem | null {
    switch (rule.toLowerCase()) {
      case '':
        return null;
      case 'on':
      case 'off':
        this.#isEnabled = rule.toLowerCase() === 'on';
        return null;
      case 'sanitize-payload':
      case 'skip-sanitize-payload':
        this.#sanitizes = rule.toLowerCase() === 'sanitize-payload';
        return null;
      case 'nopass':
      case 'resetpass':
        this.#needsNoPassword = rule.toLowerCase() === 'nopass';
        this.#passwords = [];
        return null;
      case 'clearselectors':
        this.#selectors.length = 1;
        return null;
      case 'reset':
        return this.#reset(hasAllChannels);
    }
    if ('>#<!'.includes(rule[0])) return this.#applyPassword(rule);
    if (rule[0] === '(' && rule.endsWith(')')) return this.#addSelector(rule.slice(1, -1), hasAllChannels);
    return this.#selectors[0].apply(rule);
  }

  #reset(hasAllChannels: boolean): null {
    this.#isEnabled = false;
    this.#needsNoPassword = false;
    this.#sanitizes = true;
    this.#passwords = [];
    this.#selectors = [new Selector(this.#catalogue)];
    if (hasAllChannels) this.#selectors[0].apply('allchannels');
    return null;
  }

  #applyPassword(rule: string): RuleProblem | null {
    const isHash = rule[0] === '#' || rule[0] === '!';
    const hash = isHash ? rule.slice(1) : passwordHash(rule.slice(1));
    if (!HASH.test(hash)) return BAD_HASH;
    const at = this.#passwords.indexOf(hash);
    if (rule[0] === '>' || rule[0] === '#') {
      if (at < 0) this.#passwords.push(hash);
      this.#needsNoPassword = false;
    } else {
      if (at < 0) return NO_SUCH_PASSWORD;
      this.#passwords.splice(at, 1);
    }
    return null;
  }

  #addSelector(rules: string, hasAllChannels: boolean): RuleProblem | null {
    const selector = new Selector(this.#catalogue);
    if (hasAllChannels) selector.apply('allchannels');
    for (const rule of rules.split(/\s+/)) {
      const problem = rule === '' ? null : selector.apply(rule);
      if (problem !== null) return problem;
    }
    this.#selectors.push(selector);
    return null;
  }

  /** What ACL GETUSER shows as flags. */
  flags(): string[] {
    const flags = [this.#isEnabled ? 'on' : 'off'];
    if (this.#needsNoPassword) flags.push('nopass');
    if (this.#sanitizes !== null) flags.push(this.#sanitizes ? 'sanitize-payload' : 'skip-sanitize-payload');
    return flags;
  }

  /** Rules that make this user, as ACL LIST shows them. */
  describe(): string {
    const [own, ...further] = this.#selectors.map((selector) => selector.describe());
    const passwords = this.#passwords.map((hash) => `#${hash}`);
    return [...this.flags(), ...passwords, own, ...further.map((selector) => `(${selector})`)].join(' ');
  }
}

function isMoreTelling(denial: Denial, told: Denial): boolean {
  const difference = SEVERITY[denial.kind] - SEVERITY[told.kind];
  return difference > 0 || (difference === 0 && denial.argument > told.argument);
}
