import type { Random } from '../../../lib/base/index.ts';

/** The arguments of a command. */
export type Words = readonly string[];

/** What one connection's keys hold; a plain value per type. */
type Value = string | string[] | Map<string, string> | Set<string>;

/** What is to be in the keys of one connection after the commands it was given. Knows the commands that `anyWrite` makes. */
export class Model {
  readonly #values = new Map<string, Value>();
  readonly #expiries = new Map<string, string>();

  apply([name, key, ...rest]: Words): void {
    handlers[name](this, key, rest);
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** Collections that became empty are gone. */
  put(key: string, value: Value): void {
    const isEmpty = typeof value !== 'string' && (Array.isArray(value) ? value.length : value.size) === 0;
    if (isEmpty) this.remove(key);
    else this.#values.set(key, value);
  }

  remove(key: string): void {
    this.#values.delete(key);
    this.#expiries.delete(key);
  }

  expire(key: string, unixMs: string | null): void {
    if (unixMs === null) this.#expiries.delete(key);
    else if (this.#values.has(key)) this.#expiries.set(key, unixMs);
  }

  get keys(): number {
    return this.#values.size;
  }

  /** Each key with its content and its expiry as one text, in no order. */
  texts(): Map<string, string> {
    const expiry = (key: string) => this.#expiries.get(key) ?? '-1';
    return new Map([...this.#values].map(([key, value]) => [key, `${textOf(value)} @${expiry(key)}`]));
  }
}

/** Content as one text: of what has no order, sorted. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.join(' ');
  if (value instanceof Set) return [...value].sort().join(' ');
  return [...value]
    .map(([field, content]) => `${field}=${content}`)
    .sort()
    .join(' ');
}

const list = (model: Model, key: string) => (model.get(key) ?? []) as string[];
const set = (model: Model, key: string) => (model.get(key) ?? new Set()) as Set<string>;
const map = (model: Model, key: string) => (model.get(key) ?? new Map()) as Map<string, string>;

function popFirst(from: string[]): string[] {
  from.shift();
  return from;
}

function without<T extends Set<string> | Map<string, string>>(all: T, members: readonly string[]): T {
  for (const member of members) all.delete(member);
  return all;
}

function withMembers(all: Set<string>, members: readonly string[]): Set<string> {
  for (const member of members) all.add(member);
  return all;
}

function withMore(all: string[], values: readonly string[]): string[] {
  all.push(...values);
  return all;
}

const handlers: Record<string, (model: Model, key: string, rest: readonly string[]) => void> = {
  SET(model, key, [value, , unixMs]) {
    model.put(key, value);
    model.expire(key, unixMs ?? null);
  },
  APPEND: (model, key, [more]) => model.put(key, ((model.get(key) ?? '') as string) + more),
  INCRBY: (model, key, [by]) => model.put(key, `${Number(model.get(key) ?? 0) + Number(by)}`),
  DEL: (model, key) => model.remove(key),
  PEXPIREAT: (model, key, [unixMs]) => model.expire(key, unixMs),
  PERSIST: (model, key) => model.expire(key, null),
  RPUSH: (model, key, values) => model.put(key, withMore(list(model, key), values)),
  LPOP: (model, key) => model.put(key, popFirst(list(model, key))),
  SADD: (model, key, members) => model.put(key, withMembers(set(model, key), members)),
  SREM: (model, key, members) => model.put(key, without(set(model, key), members)),
  HSET: (model, key, [field, value]) => model.put(key, map(model, key).set(field, value)),
  HDEL: (model, key, fields) => model.put(key, without(map(model, key), fields)),
  ZADD: (model, key, [score, member]) => model.put(key, map(model, key).set(member, score)),
  ZREM: (model, key, members) => model.put(key, without(map(model, key), members)),
};

const FAR_MS = Date.UTC(2099, 0);
const STRINGS = 200;
const MEMBERS = 50;
const LONG = 20_000;

/** A write to one of the keys of a connection, whose names begin with `prefix`. */
export function anyWrite(random: Random, prefix: string): Words {
  const key = (kind: string, count: number) => `${prefix}${kind}:${random.int(count)}`;
  const member = () => `m${random.int(MEMBERS)}`;
  const far = () => `${FAR_MS + random.int(1e9)}`;
  const text = () => 'abcdefghij'.repeat(random.int(100) === 0 ? random.int(LONG / 10) : 1 + random.int(12));
  const makers: (() => Words)[] = [
    () => ['SET', key('s', STRINGS), text()],
    () => ['SET', key('s', STRINGS), text()],
    () => ['SET', key('s', STRINGS), text(), 'PXAT', far()],
    () => ['APPEND', key('s', STRINGS), random.hex(2)],
    () => ['DEL', key('s', STRINGS)],
    () => ['PEXPIREAT', key('s', STRINGS), far()],
    () => ['PERSIST', key('s', STRINGS)],
    () => ['INCRBY', key('n', 5), `${random.int(1000) - 500}`],
    () => ['RPUSH', key('l', 3), random.hex(3), random.hex(1)],
    () => ['LPOP', key('l', 3)],
    () => ['SADD', key('t', 3), member(), `${random.int(MEMBERS)}`],
    () => ['SREM', key('t', 3), member()],
    () => ['HSET', key('h', 3), member(), random.hex(4)],
    () => ['HDEL', key('h', 3), member()],
    () => ['ZADD', key('z', 3), `${random.int(1000)}`, member()],
    () => ['ZREM', key('z', 3), member()],
    () => ['DEL', key('h', 3)],
  ];
  return makers[random.int(makers.length)]();
}
