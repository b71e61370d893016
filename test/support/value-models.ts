import type { Random } from '../../lib/base/index.ts';
import type { RespValue } from '../../lib/codec/resp/index.ts';
import { type Command, pick } from '../node/differential/base.ts';

/* Values of each type as plain JavaScript, changed by the same random steps as those of a node. */

/** What a key is to hold: the elements of a value as text, in an order that tells all. */
export type Model = string | string[] | Set<string> | Map<string, string>;

/** A type of values: how a model of it begins, how to change both alike, and how to read all of it. */
export interface Kind {
  readonly begin: () => Model;
  readonly change: (model: Model, key: string, random: Random) => Command;
  readonly read: (key: string) => Command;
  readonly text: (reply: RespValue) => string;
}

const element = (random: Random) =>
  random.int(2) === 0 ? String(random.int(300)) : `e${random.int(300)}`.repeat(1 + random.int(12));
const elements = (random: Random) => Array.from({ length: 1 + random.int(40) }, () => element(random));
const plain = (reply: RespValue) => (reply === null ? '' : (reply as RespValue[]).map(String).join());
const pairsOf = (map: Map<string, string>) => [...map].map(([key, value]) => `${key}=${value}`);
const pairs = (reply: RespValue) => {
  const flat = (reply as RespValue[]).map(String);
  return flat.flatMap((text, i) => (i % 2 === 0 ? [`${text}=${flat[i + 1]}`] : []));
};

/** By name of the type. */
export const kinds: Readonly<Record<string, Kind>> = {
  string: {
    begin: () => '',
    change: (_model, key, random) => ['APPEND', key, element(random)],
    read: (key) => ['GET', key],
    text: (reply) => (reply === null ? '' : String(reply)),
  },
  list: {
    begin: () => [],
    change(model, key, random) {
      const list = model as string[];
      const added = elements(random);
      const acts: (() => Command)[] = [
        () => {
          list.push(...added);
          return ['RPUSH', key, ...added];
        },
        () => {
          list.unshift(...[...added].reverse());
          return ['LPUSH', key, ...added];
        },
        () => {
          const count = 1 + random.int(60);
          list.splice(0, count);
          return ['LPOP', key, String(count)];
        },
      ];
      return pick(random, acts)();
    },
    read: (key) => ['LRANGE', key, '0', '-1'],
    text: plain,
  },
  set: {
    begin: () => new Set(),
    change(model, key, random) {
      const set = model as Set<string>;
      const some = elements(random);
      const isAdding = random.int(2) === 0;
      for (const one of some) isAdding ? set.add(one) : set.delete(one);
      return [isAdding ? 'SADD' : 'SREM', key, ...some];
    },
    read: (key) => ['SMEMBERS', key],
    text: (reply) => (reply as RespValue[]).map(String).sort().join(),
  },
  hash: {
    begin: () => new Map(),
    change(model, key, random) {
      const map = model as Map<string, string>;
      const fields = elements(random);
      if (random.int(2) === 0) {
        for (const field of fields) map.delete(field);
        return ['HDEL', key, ...fields];
      }
      const value = element(random);
      for (const field of fields) map.set(field, value);
      return ['HSET', key, ...fields.flatMap((field) => [field, value])];
    },
    read: (key) => ['HGETALL', key],
    text: (reply) => pairs(reply).sort().join(),
  },
  'sorted set': {
    begin: () => new Map(),
    change(model, key, random) {
      const map = model as Map<string, string>;
      const members = elements(random);
      if (random.int(2) === 0) {
        for (const member of members) map.delete(member);
        return ['ZREM', key, ...members];
      }
      const score = String(random.int(1000));
      for (const member of members) map.set(member, score);
      return ['ZADD', key, ...members.flatMap((member) => [score, member])];
    },
    read: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
    text: (reply) => pairs(reply).sort().join(),
  },
};

/** All of a value, in the form that `Kind.text` gives a reply. */
export function textOf(model: Model): string {
  if (typeof model === 'string') return model;
  if (Array.isArray(model)) return model.join();
  return (model instanceof Set ? [...model] : pairsOf(model)).sort().join();
}

/** What a command makes of a value that was not there. */
export function replay(model: Model, [name, , ...parts]: Command): Model {
  const texts = parts.map(String);
  if (typeof model === 'string') return texts[0];
  if (name === 'RPUSH') return texts;
  if (name === 'LPUSH') return texts.reverse();
  if (name === 'SADD') return new Set(texts);
  if (name === 'HSET')
    return new Map(texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1]]] : [])));
  if (name === 'ZADD')
    return new Map(texts.flatMap((text, i) => (i % 2 === 1 ? [[text, texts[i - 1]]] : [])));
  return model;
}
