import type { CommandSpec } from './spec.ts';
import { commands } from './table.ts';

/** A power of two, many times the number of commands, so that nearly every name is found at once. */
const SLOTS = 1024;
const FREE = -1;
const BAR = 0x7c;

const longestName = Math.max(...commands.map((spec) => spec.word.length));

/** Ids by hash, probed linearly. */
const slots = new Int16Array(SLOTS).fill(FREE);
/** Every name and, byte by byte, what to mask off before comparing: the bit that tells lower from upper case, for letters only. */
const lengths = new Uint8Array(commands.length);
const names = new Uint8Array(commands.length * longestName);
const masks = new Uint8Array(commands.length * longestName);

/** Length, first, second and last byte tell nearly all names apart, and cost less than a hash of the whole. */
function slotOf(buffer: Uint8Array, start: number, end: number): number {
  const first = buffer[start] & 0xdf;
  const second = buffer[start + 1] & 0xdf;
  const last = buffer[end - 1] & 0xdf;
  return (end - start + first * 37 + second * 101 + last * 613) & (SLOTS - 1);
}

for (const spec of commands) {
  const name = Buffer.from(spec.word, 'latin1');
  let slot = slotOf(name, 0, name.length);
  while (slots[slot] !== FREE) slot = (slot + 1) & (SLOTS - 1);
  slots[slot] = spec.id;
  lengths[spec.id] = name.length;
  names.set(name, spec.id * longestName);
  masks.set(
    name.map((byte) => (byte >= 0x41 && byte <= 0x5a ? 0xdf : 0xff)),
    spec.id * longestName,
  );
}

function isName(id: number, buffer: Uint8Array, start: number, length: number): boolean {
  if (lengths[id] !== length) return false;
  const at = id * longestName;
  for (let i = 0; i < length; i++) {
    if ((buffer[start + i] & masks[at + i]) !== names[at + i]) return false;
  }
  return true;
}

/** The command named, in any case, by these bytes; undefined when there is none. Allocates nothing. */
export function lookupCommand(buffer: Uint8Array, start: number, end: number): CommandSpec | undefined {
  const length = end - start;
  if (length < 2 || length > longestName) return undefined;
  let slot = slotOf(buffer, start, end);
  for (;;) {
    const id = slots[slot];
    if (id === FREE) return undefined;
    if (isName(id, buffer, start, length)) return commands[id];
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** The subcommand of `container` named, in any case, by these bytes; undefined when there is none. */
export function lookupSubcommand(
  container: CommandSpec,
  buffer: Uint8Array,
  start: number,
  end: number,
): CommandSpec | undefined {
  const word = Buffer.from(buffer.subarray(start, end)).latin1Slice().toUpperCase();
  return container.subcommands.find((sub) => sub.word === word);
}

/** The command named, in any case, by these bytes, or the subcommand as `container|name`; undefined when there is none. */
export function lookupCommandPath(buffer: Uint8Array, start: number, end: number): CommandSpec | undefined {
  const bar = buffer.subarray(start, end).indexOf(BAR);
  if (bar < 0) return lookupCommand(buffer, start, end);
  const container = lookupCommand(buffer, start, start + bar);
  return container && lookupSubcommand(container, buffer, start + bar + 1, end);
}
