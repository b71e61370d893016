/** One argument as `COMMAND DOCS` describes it. */
export interface ArgumentDoc {
  name: string;
  type: 'key' | 'string' | 'integer' | 'double' | 'pattern' | 'unix-time' | 'pure-token' | 'oneof' | 'block';
  token?: string;
  optional?: boolean;
  multiple?: boolean;
  arguments?: ArgumentDoc[];
}

const INTEGERS = new Set([
  'seconds',
  'milliseconds',
  'increment',
  'decrement',
  'cursor',
  'count',
  'numreplicas',
  'timeout',
  'index',
  'protover',
  'client-id',
  'offset',
  'start',
  'stop',
  'numkeys',
  'limit',
  'rank',
  'num-matches',
  'len',
]);
const KEYS = new Set(['key', 'newkey', 'source', 'destination']);

const TOKEN = /[[\]()|]|\.\.\.|[^\s[\]()|]+/g;
const KEYWORD = /^[A-Z][A-Z-]*$/;

/** A word of the notation: `name`, or `name:double` where the name alone would say something else. */
function argument(word: string): ArgumentDoc {
  const [name, type] = word.split(':');
  return { name, type: type === 'double' ? type : typeOf(name) };
}

function typeOf(name: string): ArgumentDoc['type'] {
  if (KEYS.has(name)) return 'key';
  if (name === 'pattern') return name;
  if (name.startsWith('unix-time')) return 'unix-time';
  return INTEGERS.has(name) ? 'integer' : 'string';
}

/** Several arguments in a row are one block; one is itself. */
function asOne(args: ArgumentDoc[]): ArgumentDoc {
  if (args.length === 1) return args[0];
  return { name: args.map((arg) => arg.name).join('_'), type: 'block', arguments: args };
}

class SyntaxParser {
  readonly #tokens: string[];
  #at = 0;

  constructor(syntax: string) {
    this.#tokens = syntax.match(TOKEN) ?? [];
  }

  /** Arguments up to a closing bracket, a bar or the end. */
  sequence(): ArgumentDoc[] {
    const args: ArgumentDoc[] = [];
    for (let token = this.#peek(); token !== undefined && !'])|'.includes(token); token = this.#peek()) {
      if (token === '...') {
        this.#at++;
        const last = args[args.length - 1];
        last.multiple = true;
      } else {
        args.push(this.#item());
        this.#foldRepetition(args);
      }
    }
    return args;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #item(): ArgumentDoc {
    const token = this.#tokens[this.#at++];
    if (token === '[') return { ...this.#alternatives(']'), optional: true };
    if (token === '(') return this.#alternatives(')');
    if (token.endsWith(':')) return { ...this.#item(), name: token.slice(0, -1) };
    if (!KEYWORD.test(token)) return argument(token);
    const next = this.#peek();
    const hasOperand = next !== undefined && (next === '(' || !('[])|'.includes(next) || next === '...'));
    if (!hasOperand) return { name: token.toLowerCase(), type: 'pure-token', token };
    return { ...this.#operands(), token };
  }

  /** What follows a keyword: all plain words up to the next bracket, bar or keyword. */
  #operands(): ArgumentDoc {
    if (this.#peek() === '(') return this.#item();
    const args: ArgumentDoc[] = [];
    for (
      let token = this.#peek();
      token !== undefined && !/^[[\]()|]$|^\.\.\.$/.test(token);
      token = this.#peek()
    ) {
      if (KEYWORD.test(token)) break;
      args.push(argument(token));
      this.#at++;
    }
    const operand = asOne(args);
    if (this.#repeats(args)) operand.multiple = true;
    return operand;
  }

  #alternatives(close: string): ArgumentDoc {
    const choices = [asOne(this.sequence())];
    while (this.#peek() === '|') {
      this.#at++;
      choices.push(asOne(this.sequence()));
    }
    if (this.#tokens[this.#at++] !== close) throw new SyntaxError(`no ${close} in ${this.#tokens.join(' ')}`);
    if (choices.length === 1) return choices[0];
    return { name: choices.map((choice) => choice.name).join('_'), type: 'oneof', arguments: choices };
  }

  /** `key value [key value ...]` says that `key value` may come many times. */
  #foldRepetition(args: ArgumentDoc[]): void {
    const length = this.#repetitionLength();
    if (length === 0 || length > args.length) return;
    const tail = args.slice(-length);
    if (!this.#repeats(tail)) return;
    args.length -= length;
    args.push({ ...asOne(tail), multiple: true });
  }

  /** Words of a `[word ... ...]` that comes next; 0 when none does. */
  #repetitionLength(): number {
    if (this.#peek() !== '[') return 0;
    const dots = this.#tokens.indexOf('...', this.#at);
    return dots < 0 ? 0 : dots - this.#at - 1;
  }

  /** Consumes a `[a b ...]` that repeats exactly these arguments. */
  #repeats(args: ArgumentDoc[]): boolean {
    const length = args.length;
    if (this.#repetitionLength() !== length) return false;
    if (!args.every((arg, i) => arg.name === this.#tokens[this.#at + 1 + i])) return false;
    this.#at += length + 3;
    return true;
  }
}

/**
 * Reads the manual's notation (`key value [NX|XX] [EX seconds|PX milliseconds] [key ...]`), with two additions: `timeout:double` for a number
 * that is not whole, and `where:(LEFT|RIGHT)` for a choice with a name. Throws SyntaxError on a missing bracket.
 */
export function parseSyntax(syntax: string): ArgumentDoc[] {
  return new SyntaxParser(syntax).sequence();
}
