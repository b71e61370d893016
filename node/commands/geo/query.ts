import type { Args } from '../../../lib/codec/resp/index.ts';
import type { ZsetValue } from '../../values/index.ts';
import { NOT_AN_INTEGER, SYNTAX_ERROR } from '../command.ts';
import { longOf } from '../lookup.ts';
import { type Position, positionOf } from './position.ts';
import { parseBox, parseCircle, parsePosition, type Shape } from './shape.ts';

const NO_SUCH_MEMBER = 'ERR could not decode requested zset member';

/** A command of the family. */
export interface SearchForm {
  /** Argument of the key that is searched. */
  readonly keyAt: number;
  /** Where the search begins: at the two arguments behind the key, at the member behind it, or where an option says. */
  readonly from: 'position' | 'member' | 'option';
  /** Where the result may go: nowhere but into the reply, to the key of an option, or to the key in argument 1. */
  readonly stores: 'never' | 'option' | 'always';
}

/** What was asked. */
export interface SearchQuery {
  /** Null as long as it is not known, or when it is a member of a key that is not there. */
  centre: Position | null;
  shape: Shape | null;
  /** How a centre was named; with `member` it may be one of a key that is not there. */
  from: 'nothing' | 'position' | 'member';
  withDistance: boolean;
  withHash: boolean;
  withPosition: boolean;
  isAny: boolean;
  order: 'none' | 'ascending' | 'descending';
  /** 0: all. */
  count: number;
  /** Argument of the key for the result; 0 for none. */
  storeAt: number;
  storesDistance: boolean;
}

/** Reads a search from its arguments, in Redis's order of errors. */
export class QueryParser {
  readonly #args: Args;
  readonly #form: SearchForm;
  /** Null when the key is not there. */
  readonly #zset: ZsetValue | null;
  readonly #query: SearchQuery = {
    centre: null,
    shape: null,
    from: 'nothing',
    withDistance: false,
    withHash: false,
    withPosition: false,
    isAny: false,
    order: 'none',
    count: 0,
    storeAt: 0,
    storesDistance: false,
  };

  constructor(args: Args, form: SearchForm, zset: ZsetValue | null) {
    this.#args = args;
    this.#form = form;
    this.#zset = zset;
  }

  /** The query, or the text of an error. */
  parse(): SearchQuery | string {
    const { keyAt, from, stores } = this.#form;
    const query = this.#query;
    if (stores === 'always') query.storeAt = 1;
    const error = from === 'option' ? null : this.#parseLeading(keyAt + 1);
    if (error !== null) return error;
    const first = from === 'position' ? 6 : from === 'member' ? 5 : keyAt + 1;
    for (let i = first; i < this.#args.count; ) {
      const next = this.#parseOption(i);
      if (typeof next === 'string') return next;
      i = next;
    }
    return this.#conflict() ?? query;
  }

  /** The centre and the radius that stand before the options. */
  #parseLeading(at: number): string | null {
    const isMember = this.#form.from === 'member';
    // Redis looks no further when there is nothing to search.
    if (isMember && this.#zset === null) return null;
    const error = isMember ? this.#centreOfMember(at) : this.#centreAt(at);
    return error ?? this.#setShape(parseCircle(this.#args, at + (isMember ? 1 : 2)));
  }

  #setShape(shape: Shape | string): string | null {
    if (typeof shape === 'string') return shape;
    this.#query.shape = shape;
    return null;
  }

  #centreAt(i: number): string | null {
    const position = parsePosition(this.#args, i);
    if (typeof position === 'string') return position;
    this.#query.centre = position;
    this.#query.from = 'position';
    return null;
  }

  #centreOfMember(i: number): string | null {
    this.#query.from = 'member';
    if (this.#zset === null) return null;
    const score = this.#zset.scoreOf(this.#args.buffer, this.#args.start(i), this.#args.end(i));
    if (score === undefined) return NO_SUCH_MEMBER;
    this.#query.centre = positionOf(score);
    return null;
  }

  /** Reads the option at argument `i`; returns where the next one is, or the text of an error. */
  #parseOption(i: number): number | string {
    const args = this.#args;
    const query = this.#query;
    if (args.equalsIgnoreCase(i, 'WITHDIST')) query.withDistance = true;
    else if (args.equalsIgnoreCase(i, 'WITHHASH')) query.withHash = true;
    else if (args.equalsIgnoreCase(i, 'WITHCOORD')) query.withPosition = true;
    else if (args.equalsIgnoreCase(i, 'ANY')) query.isAny = true;
    else if (args.equalsIgnoreCase(i, 'ASC')) query.order = 'ascending';
    else if (args.equalsIgnoreCase(i, 'DESC')) query.order = 'descending';
    else if (i + 1 < args.count && args.equalsIgnoreCase(i, 'COUNT')) return this.#parseCount(i + 1);
    else if (this.#form.from === 'option') return this.#parseSearchOption(i);
    else return this.#parseStoreOption(i);
    return i + 1;
  }

  #parseCount(i: number): number | string {
    const count = longOf(this.#args, i);
    if (count === null) return NOT_AN_INTEGER;
    if (count <= 0) return 'ERR COUNT must be > 0';
    this.#query.count = count;
    return i + 1;
  }

  #parseStoreOption(i: number): number | string {
    const isDistance = this.#args.equalsIgnoreCase(i, 'STOREDIST');
    const isStore = isDistance || this.#args.equalsIgnoreCase(i, 'STORE');
    if (!isStore || this.#form.stores !== 'option' || i + 1 >= this.#args.count) return SYNTAX_ERROR;
    this.#query.storeAt = i + 1;
    this.#query.storesDistance = isDistance;
    return i + 2;
  }

  /** The options of GEOSEARCH and GEOSEARCHSTORE alone. */
  #parseSearchOption(i: number): number | string {
    const args = this.#args;
    const { from, shape } = this.#query;
    const left = args.count - i - 1;
    if (this.#form.stores === 'always' && args.equalsIgnoreCase(i, 'STOREDIST')) {
      this.#query.storesDistance = true;
      return i + 1;
    }
    if (left >= 1 && from !== 'position' && args.equalsIgnoreCase(i, 'FROMMEMBER')) {
      return this.#centreOfMember(i + 1) ?? i + 2;
    }
    if (left >= 2 && from !== 'member' && args.equalsIgnoreCase(i, 'FROMLONLAT')) {
      return this.#centreAt(i + 1) ?? i + 3;
    }
    if (left >= 2 && shape?.kind !== 'box' && args.equalsIgnoreCase(i, 'BYRADIUS')) {
      return this.#setShape(parseCircle(args, i + 1)) ?? i + 3;
    }
    if (left >= 3 && shape?.kind !== 'circle' && args.equalsIgnoreCase(i, 'BYBOX')) {
      return this.#setShape(parseBox(args, i + 1)) ?? i + 4;
    }
    return SYNTAX_ERROR;
  }

  /** What of it does not go together; null when all does. */
  #conflict(): string | null {
    const { from, stores } = this.#form;
    const { storeAt, withDistance, withHash, withPosition, shape, isAny, count } = this.#query;
    if (storeAt !== 0 && (withDistance || withHash || withPosition)) {
      const what = stores === 'always' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS';
      return `ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`;
    }
    const name = this.#args.latin1(0);
    if (from === 'option' && this.#query.from === 'nothing') {
      return `ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`;
    }
    if (from === 'option' && shape === null) {
      return `ERR exactly one of BYRADIUS and BYBOX can be specified for ${name}`;
    }
    return isAny && count === 0 ? 'ERR the ANY argument requires COUNT argument' : null;
  }
}
