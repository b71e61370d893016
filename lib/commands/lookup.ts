import type { CommandSpec } from './spec.ts';
import { commands } from './table.ts';

/** A power of two, several times the number of commands, so that nearly every name is found at once. */
const SLOTS = 1024;
const FREE = -1;

const slots = new Int16Array(SLOTS).fill(FREE);
const names: readonly Uint8Array[] = commands.map((spec) => Buffer.from(spec.word, 'latin1'));
const longestName = Math.max(...names.map((name) => name.length));

/** FNV-1a over the bytes without the bit that tells lower from upper case. */
function slotOf(buffer: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (buffer[at] & 0xdf), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

for (const [id, name] of names.entries()) {
  let slot = slotOf(name, 0, name.length);
  while (slots[slot] !== FREE) slot = (slot + 1) & (SLOTS - 1);
  slots[slot] = id;
}

function isName(name: Uint8Array, buffer: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    let byte = buffer[start + i];
    if (byte >= 0x61 && byte <= 0x7a) byte -= 0x20;
    if (byte !== name[i]) return false;
  }
  return true;
}

/** The command named, in any case, by these bytes; undefined when there is none. Allocates nothing. */
export function lookupCommand(buffer: Uint8Array, start: number, end: number): CommandSpec | undefined {
  if (end - start > longestName) return undefined;
  let slot = slotOf(buffer, start, end);
  for (;;) {
    const id = slots[slot];
    if (id === FREE) return undefined;
    if (isName(names[id], buffer, start, end)) return commands[id];
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
  const subcommands = container.subcommands;
  for (let i = 0; i < subcommands.length; i++) {
    const word = subcommands[i].word;
    if (word.length === end - start && equalsWord(word, buffer, start)) return subcommands[i];
  }
  return undefined;
}

function equalsWord(word: string, buffer: Uint8Array, start: number): boolean {
  for (let i = 0; i < word.length; i++) {
    let byte = buffer[start + i];
    if (byte >= 0x61 && byte <= 0x7a) byte -= 0x20;
    if (byte !== word.charCodeAt(i)) return false;
  }
  return true;
}
