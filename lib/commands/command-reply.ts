import type { ReplySink } from '../base/index.ts';
import type { KeySpec } from './key-specs.ts';
import { type KeyReference, keysOf } from './keys-of.ts';
import { lookupCommand, lookupCommandPath, lookupSubcommand } from './lookup.ts';
import { arityFits, type CommandSpec } from './spec.ts';
import { type ArgumentDoc, parseSyntax } from './syntax.ts';
import { commands } from './table.ts';
import { type CommandArgs, unknownSubcommandText, wrongArityText } from './texts.ts';

/** Says which commands and subcommands this process answers; the others are left out of every reply. */
export type Supports = (spec: CommandSpec) => boolean;

const everything: Supports = () => true;

/** Answers `COMMAND` and all its subcommands, as Redis 7.0 does. `args` is the whole command. */
export function commandReply(args: CommandArgs, sink: ReplySink, supports: Supports = everything): void {
  const container = lookupCommand(args.buffer, args.start(0), args.end(0))!;
  if (args.count === 1) {
    writeAllInfo(sink, supports);
    return;
  }
  const sub = lookupSubcommand(container, args.buffer, args.start(1), args.end(1));
  if (sub === undefined) sink.error(unknownSubcommandText(container, args));
  else if (!arityFits(sub, args.count)) sink.error(wrongArityText(sub));
  else handlers[sub.word](args, sink, supports);
}

type Handler = (args: CommandArgs, sink: ReplySink, supports: Supports) => void;

const handlers: Record<string, Handler> = {
  COUNT: (_args, sink, supports) => sink.integer(commands.filter(supports).length),
  LIST: listReply,
  INFO: infoReply,
  DOCS: docsReply,
  GETKEYS: (args, sink, supports) => keysReply(args, sink, supports, (key) => sink.bulk(key)),
  GETKEYSANDFLAGS: (args, sink, supports) =>
    keysReply(args, sink, supports, (key, { flags }) => {
      sink.arrayHeader(2);
      sink.bulk(key);
      writeSet(sink, flags);
    }),
  HELP: (args, sink, supports) => helpReply(named(args, 0)!, sink, supports),
};

/** Answers `HELP` of a command that has subcommands. */
export function helpReply(container: CommandSpec, sink: ReplySink, supports: Supports = everything): void {
  const lines = [`${container.word} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const sub of container.subcommands.filter(supports)) {
    lines.push(sub.syntax === '' ? sub.word : `${sub.word} ${sub.syntax}`, `    ${sub.summary}`);
  }
  sink.arrayHeader(lines.length);
  for (const line of lines) sink.simple(line);
}

function listReply(args: CommandArgs, sink: ReplySink, supports: Supports): void {
  let names = commands.flatMap((spec) => [spec, ...spec.subcommands]).filter(supports);
  if (args.count > 2) {
    const filter =
      args.count === 5 && upper(args, 2) === 'FILTERBY' ? filterBy(upper(args, 3), args.latin1(4)) : null;
    if (filter === null) {
      sink.error('ERR syntax error');
      return;
    }
    names = names.filter(filter);
  }
  sink.arrayHeader(names.length);
  for (const spec of names) sink.bulkLatin1(spec.name);
}

function filterBy(kind: string, value: string): Supports | null {
  const wanted = value.toLowerCase();
  if (kind === 'MODULE') return () => false;
  if (kind === 'ACLCAT') return (spec) => spec.aclCategories.includes(`@${wanted}`);
  if (kind !== 'PATTERN') return null;
  const pattern = globPattern(wanted);
  return (spec) => pattern.test(spec.name);
}

/** Command names need no more than `*` and `?` of the glob language. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}

function infoReply(args: CommandArgs, sink: ReplySink, supports: Supports): void {
  if (args.count === 2) {
    writeAllInfo(sink, supports);
    return;
  }
  sink.arrayHeader(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const spec = named(args, i);
    if (spec === undefined || !supports(spec)) sink.nullBulk();
    else writeInfo(spec, sink, supports);
  }
}

function writeAllInfo(sink: ReplySink, supports: Supports): void {
  const specs = commands.filter(supports);
  sink.arrayHeader(specs.length);
  for (const spec of specs) writeInfo(spec, sink, supports);
}

function writeInfo(spec: CommandSpec, sink: ReplySink, supports: Supports): void {
  sink.arrayHeader(10);
  sink.bulkLatin1(spec.name);
  sink.integer(spec.arity);
  writeSet(sink, spec.flags);
  sink.integer(spec.firstKey);
  sink.integer(spec.lastKey);
  sink.integer(spec.keyStep);
  writeSet(sink, spec.aclCategories);
  sink.setHeader(spec.tips.length);
  for (const tip of spec.tips) sink.bulkLatin1(tip);
  sink.setHeader(spec.keySpecs.length);
  for (const keySpec of spec.keySpecs) writeKeySpec(keySpec, sink);
  const subcommands = spec.subcommands.filter(supports);
  if (subcommands.length === 0) sink.setHeader(0);
  else sink.arrayHeader(subcommands.length);
  for (const sub of subcommands) writeInfo(sub, sink, supports);
}

function writeKeySpec({ flags, start, find }: KeySpec, sink: ReplySink): void {
  sink.mapHeader(3);
  sink.bulkLatin1('flags');
  writeSet(sink, flags);
  const { type, ...where } = start;
  const from = 'from' in where ? { keyword: where.keyword, startfrom: where.from } : where;
  writeSearch(sink, 'begin_search', type, from);
  if (find.type === 'range') {
    writeSearch(sink, 'find_keys', 'range', { lastkey: find.last, keystep: find.step, limit: 0 });
  } else if (find.type === 'keynum') {
    writeSearch(sink, 'find_keys', 'keynum', { keynumidx: 0, firstkey: 1, keystep: 1 });
  } else writeSearch(sink, 'find_keys', 'unknown', {});
}

function writeSearch(
  sink: ReplySink,
  name: string,
  type: string,
  spec: Record<string, string | number>,
): void {
  sink.bulkLatin1(name);
  sink.mapHeader(2);
  sink.bulkLatin1('type');
  sink.bulkLatin1(type);
  sink.bulkLatin1('spec');
  const fields = Object.entries(spec);
  sink.mapHeader(fields.length);
  for (const [key, value] of fields) {
    sink.bulkLatin1(key);
    if (typeof value === 'string') sink.bulkLatin1(value);
    else sink.integer(value);
  }
}

function docsReply(args: CommandArgs, sink: ReplySink, supports: Supports): void {
  const asked: (CommandSpec | undefined)[] = args.count === 2 ? [...commands] : [];
  for (let i = 2; i < args.count; i++) asked.push(named(args, i));
  const specs = asked.filter((spec): spec is CommandSpec => spec !== undefined && supports(spec));
  sink.mapHeader(specs.length);
  for (const spec of specs) writeDocs(spec, sink, supports);
}

function writeDocs(spec: CommandSpec, sink: ReplySink, supports: Supports): void {
  const syntax = parseSyntax(spec.syntax);
  const subcommands = spec.subcommands.filter(supports);
  const texts: [string, string][] = [
    ['summary', spec.summary],
    ['since', spec.since],
    ['group', spec.group],
    ['complexity', spec.complexity],
  ];
  sink.bulkLatin1(spec.name);
  sink.mapHeader(
    texts.length + (spec.deprecated ? 3 : 0) + (syntax.length > 0 ? 1 : 0) + (subcommands.length > 0 ? 1 : 0),
  );
  for (const [key, text] of texts) writePair(sink, key, text);
  if (spec.deprecated !== null) {
    sink.bulkLatin1('doc_flags');
    writeSet(sink, ['deprecated']);
    writePair(sink, 'deprecated_since', spec.deprecated.since);
    writePair(sink, 'replaced_by', spec.deprecated.replacedBy);
  }
  if (syntax.length > 0) writeArguments(syntax, sink, keyIndexes(spec));
  if (subcommands.length > 0) {
    sink.bulkLatin1('subcommands');
    sink.mapHeader(subcommands.length);
    for (const sub of subcommands) writeDocs(sub, sink, supports);
  }
}

/** Gives each key among the arguments the number of its key specification: the last one counts for all that follow. */
function keyIndexes({ keySpecs }: CommandSpec): () => number {
  let next = 0;
  return () => Math.max(0, Math.min(next++, keySpecs.length - 1));
}

function writeArguments(args: readonly ArgumentDoc[], sink: ReplySink, keyIndex: () => number): void {
  sink.bulkLatin1('arguments');
  sink.arrayHeader(args.length);
  for (const arg of args) {
    const flags = [...(arg.optional ? ['optional'] : []), ...(arg.multiple ? ['multiple'] : [])];
    const isKey = arg.type === 'key';
    sink.mapHeader(
      2 + (isKey ? 1 : 0) + (arg.token ? 1 : 0) + (flags.length > 0 ? 1 : 0) + (arg.arguments ? 1 : 0),
    );
    writePair(sink, 'name', arg.name);
    writePair(sink, 'type', arg.type);
    if (isKey) {
      sink.bulkLatin1('key_spec_index');
      sink.integer(keyIndex());
    }
    if (arg.token) writePair(sink, 'token', arg.token);
    if (flags.length > 0) {
      sink.bulkLatin1('flags');
      writeSet(sink, flags);
    }
    if (arg.arguments) writeArguments(arg.arguments, sink, keyIndex);
  }
}

function keysReply(
  args: CommandArgs,
  sink: ReplySink,
  supports: Supports,
  write: (key: Buffer, reference: KeyReference) => void,
): void {
  const spec = commandAt(args, 2);
  const count = args.count - 2;
  if (spec === undefined || !supports(spec)) {
    sink.error('ERR Invalid command specified');
  } else if (spec.keySpecs.every(({ flags }) => flags.includes('not_key'))) {
    sink.error('ERR The command has no key arguments');
  } else if (!arityFits(spec, count)) {
    sink.error('ERR Invalid number of arguments specified for command');
  } else {
    const keys = keysOf(spec, args, 2);
    if (keys === null) {
      sink.error('ERR Invalid arguments specified for command');
      return;
    }
    sink.arrayHeader(keys.length);
    for (const key of keys) write(args.bytes(key.index), key);
  }
}

/** The command, or its subcommand, that begins at argument `i`. */
function commandAt(args: CommandArgs, i: number): CommandSpec | undefined {
  const spec = lookupCommand(args.buffer, args.start(i), args.end(i));
  if (spec === undefined || spec.subcommands.length === 0 || i + 1 >= args.count) return spec;
  return lookupSubcommand(spec, args.buffer, args.start(i + 1), args.end(i + 1));
}

/** The command, or subcommand as `container|name`, that argument `i` names. */
function named(args: CommandArgs, i: number): CommandSpec | undefined {
  return lookupCommandPath(args.buffer, args.start(i), args.end(i));
}

function upper(args: CommandArgs, i: number): string {
  return args.latin1(i).toUpperCase();
}

function writePair(sink: ReplySink, key: string, text: string): void {
  sink.bulkLatin1(key);
  sink.bulkLatin1(text);
}

function writeSet(sink: ReplySink, members: readonly string[]): void {
  sink.setHeader(members.length);
  for (const member of members) sink.simple(member);
}
