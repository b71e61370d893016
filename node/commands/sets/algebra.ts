import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../data-set.ts';
import type { Keyspace } from '../../keyspace.ts';
import { SET } from '../../store/index.ts';
import { refusalOfValue } from '../../value-limit.ts';
import { SetValue, type VisitBytes } from '../../values/index.ts';
import { type CommandContext, type CommandHandlers, SYNTAX_ERROR, WRONG_TYPE } from '../command.ts';
import { longOf, notify } from '../lookup.ts';
import { ByteList } from './byte-list.ts';

/** More sets than this are not asked one by one whether they have a member: what they have is gathered first. */
const MOST_ASKED_SETS = 8;
/** Members an intersection passes before it looks whether there are enough. */
const MEMBERS_PER_STEP = 256;

/** Visits every member of what sets (null: no key) make together, each once. Allocates nothing that grows with few sets. */
type Combine = (sets: readonly (SetValue | null)[], visit: VisitBytes) => void;

function present(sets: readonly (SetValue | null)[]): SetValue[] {
  return sets.filter((set) => set !== null);
}

const intersect: Combine = (sets, visit) => {
  intersectUntil(sets, visit, () => false);
};

/** Intersects, and looks now and then whether that is enough. */
function intersectUntil(
  sets: readonly (SetValue | null)[],
  visit: VisitBytes,
  isEnough: () => boolean,
): void {
  const all = present(sets);
  if (all.length < sets.length) return;
  const [smallest, ...others] = all.sort((a, b) => a.size - b.size);
  let cursor = 0;
  do {
    cursor = smallest.scan(cursor, MEMBERS_PER_STEP, (buffer, start, end) => {
      for (const other of others) if (!other.has(buffer, start, end)) return;
      visit(buffer, start, end);
    });
  } while (cursor !== 0 && !isEnough());
}

const unite: Combine = (sets, visit) => {
  const all = present(sets);
  if (all.length > MOST_ASKED_SETS) return uniteMany(all, visit);
  for (const [i, set] of all.entries()) {
    set.forEach((buffer, start, end) => {
      for (let before = 0; before < i; before++) if (all[before].has(buffer, start, end)) return;
      visit(buffer, start, end);
    });
  }
};

function uniteMany(sets: readonly SetValue[], visit: VisitBytes): void {
  const seen = new Set<string>();
  for (const set of sets) {
    set.forEach((buffer, start, end) => {
      const { size } = seen;
      if (seen.add(buffer.latin1Slice(start, end)).size !== size) visit(buffer, start, end);
    });
  }
}

const subtract: Combine = ([first, ...rest], visit) => {
  if (first === null) return;
  const others = present(rest).sort((a, b) => b.size - a.size);
  if (others.length > MOST_ASKED_SETS) return subtractMany(first, others, visit);
  first.forEach((buffer, start, end) => {
    for (const other of others) if (other.has(buffer, start, end)) return;
    visit(buffer, start, end);
  });
};

function subtractMany(first: SetValue, others: readonly SetValue[], visit: VisitBytes): void {
  const excluded = new Set<string>();
  uniteMany(others, (buffer, start, end) => excluded.add(buffer.latin1Slice(start, end)));
  first.forEach((buffer, start, end) => {
    if (!excluded.has(buffer.latin1Slice(start, end))) visit(buffer, start, end);
  });
}

/** The sets in arguments `first` to `last`, null for a key that is not there; null for all, with the error written, when one is no set. */
function openSets(
  { keyspace }: CommandContext,
  args: Args,
  first: number,
  last: number,
  reply: RespWriter,
): (SetValue | null)[] | null {
  const { buffer } = args;
  // A lookup may remove a key whose time is over, and the slots found before it are stale then.
  for (let i = first; i <= last; i++) {
    const slot = keyspace.read(buffer, args.start(i), args.end(i));
    if (slot === 0 || keyspace.store.typeOf(slot) === SET) continue;
    reply.error(WRONG_TYPE);
    return null;
  }
  const sets: (SetValue | null)[] = [];
  for (let i = first; i <= last; i++) {
    const slot = keyspace.find(buffer, args.start(i), args.end(i));
    sets.push(slot === 0 ? null : SetValue.open(keyspace, slot));
  }
  return sets;
}

function answering(combine: Combine) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const sets = openSets(context, args, 1, args.count - 1, reply);
    if (sets === null) return;
    const offset = reply.length;
    let count = 0;
    combine(sets, (buffer, start, end) => {
      reply.bulk(buffer, start, end);
      count++;
    });
    reply.insertAt(offset, () => reply.setHeader(count));
  };
}

function storing(combine: Combine, event: string) {
  return (context: CommandContext, args: Args, reply: RespWriter) => {
    const sets = openSets(context, args, 2, args.count - 1, reply);
    if (sets === null) return;
    const members = new ByteList();
    combine(sets, (buffer, start, end) => members.add(buffer, start, end));
    const refusal = refusalOfValue(context.keyspace, args, 1, () => members.longest);
    if (refusal !== null) return reply.error(refusal);
    reply.integer(members.count);
    if (replaceKey(context.keyspace, args, members)) notify(context.keyspace, NOTIFY_SET, event, args);
  };
}

/** Makes the key in argument 1 a set of these members, whatever it was; returns whether there is such a set now. */
function replaceKey(keyspace: Keyspace, args: Args, members: ByteList): boolean {
  const [buffer, start, end] = [args.buffer, args.start(1), args.end(1)];
  const former = keyspace.find(buffer, start, end);
  if (members.count === 0) {
    if (former === 0) {
      keyspace.voidLease(buffer, start, end);
    } else {
      keyspace.remove(former);
      notify(keyspace, NOTIFY_GENERIC, 'del', args);
    }
    return false;
  }
  if (former !== 0) keyspace.replace(former);
  const set = SetValue.create(keyspace, buffer, start, end);
  members.forEach((member, from, to) => {
    set.add(member, from, to);
  });
  keyspace.modified(set.slot);
  keyspace.logValue(set.slot);
  return true;
}

/** The limit of SINTERCARD from argument `at` on, 0 for none; or the text of an error. */
function parseLimit(args: Args, at: number): number | string {
  let limit = 0;
  for (let i = at; i < args.count; i += 2) {
    if (i + 1 === args.count || !args.equalsIgnoreCase(i, 'LIMIT')) return SYNTAX_ERROR;
    limit = longOf(args, i + 1) ?? -1;
    if (limit < 0) return "ERR LIMIT can't be negative";
  }
  return limit;
}

function intersectionSize(context: CommandContext, args: Args, reply: RespWriter) {
  const keys = longOf(args, 1);
  if (keys === null || keys < 1) return reply.error('ERR numkeys should be greater than 0');
  if (keys > args.count - 2) return reply.error("ERR Number of keys can't be greater than number of args");
  const limit = parseLimit(args, keys + 2);
  if (typeof limit === 'string') return reply.error(limit);
  const sets = openSets(context, args, 2, keys + 1, reply);
  if (sets === null) return;
  let count = 0;
  const most = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  intersectUntil(
    sets,
    () => count++,
    () => count >= most,
  );
  reply.integer(Math.min(count, most));
}

/** Commands on what several sets make together. */
export const setAlgebraCommands: CommandHandlers = {
  SINTER: answering(intersect),
  SINTERSTORE: storing(intersect, 'sinterstore'),
  SINTERCARD: intersectionSize,
  SUNION: answering(unite),
  SUNIONSTORE: storing(unite, 'sunionstore'),
  SDIFF: answering(subtract),
  SDIFFSTORE: storing(subtract, 'sdiffstore'),
};
