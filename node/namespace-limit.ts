import type { Args } from '../lib/codec/resp/index.ts';
import { type CommandSpec, keysOf, lastKeyIndex } from '../lib/commands/index.ts';
import type { Databases } from './databases.ts';
import type { Keyspace } from './keyspace.ts';
import { argumentBytes, tooLarge } from './value-limit.ts';

/** Entries that may go before one command runs: about a millisecond. What is missing then goes before the next one. */
const MAX_EVICTIONS = 1000;

/** Commands that need no memory, but may take it from one namespace to another: from their first key to the second. */
const MOVING: ReadonlySet<string> = new Set(['rename', 'renamenx', 'smove']);

/**
 * Why a write must not run, for what the namespaces allow whose keys it adds data to: the length of values that its arguments give, and
 * budgets, into which it first evicts. Null when it may.
 */
export function namespaceRefusal(
  databases: Databases,
  keyspace: Keyspace,
  spec: CommandSpec,
  args: Args,
): string | null {
  const { namespaces } = databases.data;
  if (!namespaces.boundsBytes && !namespaces.boundsValues) return null;
  if (MOVING.has(spec.name)) {
    const [from, to] = [1, 2].map((i) => namespaces.numberOf(args.buffer, args.start(i), args.end(i)));
    return from === to ? null : refusalAt(databases, keyspace, spec, args, 2);
  }
  if (!spec.deniesOom) return null;
  if (spec.keySpecs.length > 1) {
    for (const { index, flags } of keysOf(spec, args) ?? []) {
      if (!flags.includes('update') && !flags.includes('insert')) continue;
      const refusal = refusalAt(databases, keyspace, spec, args, index);
      if (refusal !== null) return refusal;
    }
    return null;
  }
  const last = lastKeyIndex(spec, args.count);
  for (let i = spec.firstKey; i <= last; i += spec.keyStep) {
    const refusal = refusalAt(databases, keyspace, spec, args, i);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** Why nothing may be added to the key at argument `i`. */
function refusalAt(
  databases: Databases,
  keyspace: Keyspace,
  spec: CommandSpec,
  args: Args,
  i: number,
): string | null {
  const { namespaces } = databases.data;
  const number = namespaces.numberOf(args.buffer, args.start(i), args.end(i));
  const rule = namespaces.rules[number];
  if (rule === null) return null;
  const { name, maxValueBytes, maxBytes } = rule;
  if (maxValueBytes !== null) {
    const bytes = argumentBytes[spec.name]?.(args, i, keyspace) ?? 0;
    if (bytes > maxValueBytes) return tooLarge(bytes, maxValueBytes, name);
  }
  const hasRoom = maxBytes === null || makeRoomIn(databases, number, maxBytes);
  return hasRoom ? null : `OOM command not allowed when used memory > 'maxBytes' of namespace ${name}.`;
}

/** Evicts until a namespace is within its own budget, in all databases together; false when it is not and nothing may be evicted. */
function makeRoomIn(databases: Databases, namespace: number, maxBytes: number): boolean {
  for (let i = 0; i < MAX_EVICTIONS; i++) {
    let total = 0;
    let bytes = 0;
    let largest: Keyspace | null = null;
    for (const keyspace of databases.all()) {
      const held = keyspace.store.spaceBytes(namespace);
      total += held;
      if (held <= bytes) continue;
      bytes = held;
      largest = keyspace;
    }
    if (total <= maxBytes) return true;
    if (largest === null || !largest.evictOne(namespace)) return false;
  }
  return true;
}
