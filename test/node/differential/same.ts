import { decodeReply } from '../../../lib/codec/resp/index.ts';
import type { Command } from './base.ts';

/** In capitals. */
export const nameOf = (command: Command) => String(command[0]).toUpperCase();
/** `CLIENT SETNAME` with odd bytes would differ in nothing but how the two escape it in logs. */
export const show = (command: Command) =>
  command
    .map((part) =>
      JSON.stringify(
        Buffer.from(part as string)
          .toString('latin1')
          .slice(0, 60),
      ),
    )
    .join(' ');

const TIMES = new Set(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']);
/** Replies whose elements have no order. */
const UNORDERED = new Set([
  'KEYS',
  'SMEMBERS',
  'SINTER',
  'SUNION',
  'SDIFF',
  'SPOP',
  'SRANDMEMBER',
  'HKEYS',
  'HVALS',
]);
/** Replies of a cursor and elements without order, and how many elements belong together. */
const SCANS = new Map([
  ['SCAN', 1],
  ['SSCAN', 1],
  ['HSCAN', 2],
  ['ZSCAN', 2],
]);
/** Commands whose reply is a choice, a clock, the number of a connection, or a matter of memory: only its kind is compared. */
const BY_KIND = new Set([
  'RANDOMKEY',
  'HELLO',
  'TIME',
  'DUMP',
  'MEMORY',
  'INFO',
  'DEBUG',
  'LATENCY',
  'SLOWLOG',
]);
/** Commands that choose what they change, wait, or change how the connection works. */
const UNPREDICTABLE =
  /^(SPOP|SRANDMEMBER|HRANDFIELD|ZRANDMEMBER|B[LRZ].*|P?S?SUBSCRIBE|SUBSCRIBE|MONITOR|QUIT|RESET|SHUTDOWN|WAITAOF)$/;

/** Counts that leave a random command no choice. */
const NO_CHOICE = new Set(['0', 'x', '100000', '-9223372036854775808']);

/** Whether both servers must do the same with it, and at once. */
export function isPredictable(command: Command): boolean {
  const name = nameOf(command);
  if (name === 'HELLO') return !(command.length === 2 && /^[23]$/.test(String(command[1])));
  return !UNPREDICTABLE.test(name) || (NO_CHOICE.has(String(command[2])) && !name.startsWith('B'));
}

/** Whether two replies to the command are the same thing said. */
export function isSame(command: Command, ours: Buffer, theirs: Buffer): boolean {
  if (ours.equals(theirs)) return true;
  const name = nameOf(command);
  if (TIMES.has(name)) {
    const numbers = [ours, theirs].map((reply) => Number(reply.toString().slice(1)));
    // The two clocks were read at different moments, on a busy machine far apart.
    return (
      numbers.every((n) => n > 0) && Math.abs(numbers[0] - numbers[1]) < (name.startsWith('P') ? 60_000 : 61)
    );
  }
  // It takes good numbers for bad ones when an earlier command has left `errno` set.
  if (/^SORT/.test(name) && theirs.includes("can't be converted into double")) return true;
  if (ours[0] !== theirs[0] || ours[0] === MINUS) return false;
  // SORT of redis-server makes a skip list of the sorted set it looks at, for good.
  if (name === 'OBJECT' && ours.includes('listpack') && theirs.includes('skiplist')) return true;
  // PFADD and PFCOUNT of redis-server make an editable text of what they look at, changed or not.
  if (name === 'OBJECT' && ours.includes('embstr') && theirs.includes('raw')) return true;
  // What INCRBYFLOAT has made stays a text there, a whole number too.
  if (name === 'OBJECT' && ours.includes('int') && theirs.includes('embstr')) return true;
  if (UNORDERED.has(name)) return sorted(decodeReply(ours), 1) === sorted(decodeReply(theirs), 1);
  if (name === 'HGETALL') return sorted(decodeReply(ours), 2) === sorted(decodeReply(theirs), 2);
  const together = SCANS.get(name);
  if (together)
    return (
      String(command[name === 'SCAN' ? 1 : 2]) !== '0' ||
      sorted(decodeReply(ours), together) === sorted(decodeReply(theirs), together)
    );
  return BY_KIND.has(name) || isOfKind(name, command);
}

const MINUS = 0x2d;

function isOfKind(name: string, command: Command): boolean {
  if (name === 'COMMAND') return command.length <= 2;
  if (name === 'OBJECT') return /^(idletime|freq)$/i.test(String(command[1]));
  return name === 'CLIENT' && /^(id|list|info)$/i.test(String(command[1]));
}

/** The elements of a decoded reply in an order of their own, `together` at a time; of a scan without its cursor. */
export function sorted(value: unknown, together: number): string {
  const flat = flatten(value);
  const groups: string[] = [];
  for (let i = flat.length % together; i < flat.length; i += together) {
    groups.push(flat.slice(i, i + together).join(' '));
  }
  return groups.sort().join('\n');
}

/** All that is in a decoded reply, one text each. */
export function flatten(value: unknown): string[] {
  if (value instanceof Map) return [...value].flatMap(flatten);
  if (Array.isArray(value) || value instanceof Set) return [...value].flatMap(flatten);
  return [Buffer.isBuffer(value) ? value.toString('hex') : String(value)];
}
