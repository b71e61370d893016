import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
} from 'yaml';
import { closest } from './closest.ts';
import { childOption, configSchema, groupOf, type Option, type Path } from './schema.ts';

/** What is wrong with a configuration, and where. */
export interface ConfigError {
  /** Line in the file, from 1; null when the mistake is not in the file (a `--set`, or something left out). */
  readonly line: number | null;
  /** Path of the option, such as `namespaces.0.ack`; empty for the file as a whole. */
  readonly path: string;
  /** The sentence without the place. */
  readonly message: string;
  /** What to show: place and sentence. */
  readonly text: string;
}

/** More of them than this is not a configuration by hand, but an attack on memory ("billion laughs"). */
const MAX_ALIASES = 100;

interface Override {
  /** The path as typed. Values are not repeated in errors, they may be secrets. */
  readonly flag: string;
  readonly path: Path;
  readonly document: Document;
}

/** The settings as given: the file and the `--set` flags on top of it, and where each of them stands. */
export class ConfigSource {
  /** The plain settings. Not checked, nothing filled in; a copy of its own. */
  settings: Record<string, unknown> = {};
  /** What went wrong so far. */
  readonly errors: ConfigError[] = [];
  #isReadable = false;
  readonly #file: string;
  readonly #lines = new LineCounter();
  #document: Document | null = null;
  readonly #overrides: Override[] = [];

  constructor(yamlText: string, file: string, sets: readonly string[]) {
    this.#file = file;
    this.#readFile(yamlText);
    for (const set of sets) this.#apply(set);
  }

  /** Whether the file is YAML that holds settings: only then there is more to check. */
  get isReadable(): boolean {
    return this.#isReadable;
  }

  /** Adds an error about the option at `path`, with the place where it was given. */
  report(path: Path, message: string): void {
    const override = this.#overrideOf(path);
    const line = override ? null : this.#lineOf(path);
    this.#add({ line, flag: override?.flag ?? null, path, message });
  }

  /** How the scalar at `path` was written; undefined when it is not a scalar of the file or of a flag. */
  sourceText(path: Path): string | undefined {
    const override = this.#overrideOf(path);
    const node = override
      ? nodeAt(override.document, path.slice(override.path.length))
      : this.#document && nodeAt(this.#document, path);
    return isScalar(node) ? node.source : undefined;
  }

  #add(error: { line: number | null; flag: string | null; path: Path; message: string }): void {
    const { line, flag, path, message } = error;
    const place =
      flag !== null ? `--set ${flag}` : line !== null ? `${this.#file}: line ${line}` : this.#file;
    this.errors.push({ line, path: path.join('.'), message, text: `${place}: ${message}` });
  }

  #readFile(text: string): void {
    const documents = parseAllDocuments(text, { lineCounter: this.#lines });
    const [document, second] = Array.isArray(documents) ? documents : [];
    if (second) {
      const line = this.#lines.linePos(second.range[0]).line;
      this.#add({
        line,
        flag: null,
        path: [],
        message: 'a configuration is one YAML document, here begins a second',
      });
    }
    this.#isReadable = !document;
    if (!document) return;
    for (const error of document.errors) {
      const line = this.#lines.linePos(error.pos[0]).line;
      this.#add({ line, flag: null, path: [], message: sentence(error.message) });
    }
    if (this.errors.length > 0) return;
    this.#document = document;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {};
    } catch (error) {
      this.report([], sentence((error as Error).message));
      return;
    }
    this.#isReadable = typeof value === 'object' && !Array.isArray(value);
    if (this.#isReadable) this.settings = value as Record<string, unknown>;
    else this.report([], 'a configuration is a group of settings (`key: value` lines)');
  }

  #apply(set: string): void {
    const equals = set.indexOf('=');
    const flag = equals < 0 ? set : set.slice(0, equals).trim();
    const path = flag.split('.');
    const problem =
      equals < 1
        ? 'write it as `path=value`, such as `node.port=7501`'
        : this.#override(flag, path, set.slice(equals + 1));
    if (problem) this.#add({ line: null, flag, path, message: problem });
  }

  /** Puts one flag over the settings; the sentence says why that is not possible. */
  #override(flag: string, path: readonly string[], yamlText: string): string | undefined {
    const unknown = unknownKeyOf(path);
    if (unknown) return unknown;
    const document = parseDocument(yamlText);
    if (document.errors.length > 0) return sentence(document.errors[0].message);
    const place = placeFor(this.settings, path);
    if (typeof place === 'string') return place;
    place.holder[place.key] = document.toJS({ maxAliasCount: MAX_ALIASES });
    this.#overrides.push({ flag, path, document });
    return undefined;
  }

  /** The flag that gave the option at `path`: the last one that set it, something around it or something in it. */
  #overrideOf(path: Path): Override | undefined {
    return this.#overrides.findLast(({ path: set }) => {
      const common = Math.min(set.length, path.length);
      return common > 0 && set.slice(0, common).every((key, i) => String(key) === String(path[i]));
    });
  }

  #lineOf(path: Path): number | null {
    let at: number | null = null;
    let node: unknown = this.#document?.contents;
    for (const key of path) {
      const step = this.#document && stepInto(this.#document, node, key);
      if (!step) break;
      at = step.offset ?? at;
      node = step.node;
    }
    return at === null ? null : this.#lines.linePos(at).line;
  }
}

/** Why there is no option at `path`; undefined when there is one. */
export function unknownKeyOf(path: Path): string | undefined {
  let option = configSchema as Option;
  for (const [depth, key] of path.entries()) {
    const next = childOption(option, key);
    if (!next) return unknownKey(path.slice(0, depth), String(key), option);
    option = next;
  }
  return undefined;
}

/** The sentence about a key that `option`, at path `parent`, does not have. */
function unknownKey(parent: Path, key: string, option: Option): string {
  const name = (last: string) => `\`${[...parent, last].join('.')}\``;
  if (option.items) return `${name(key)} is not a position in a list: count from 0`;
  const known = Object.keys(groupOf(option)?.properties ?? {});
  if (known.length === 0) return `${name(key)}: \`${parent.join('.')}\` is a single value, not a group`;
  const meant = closest(key, known);
  return `unknown key ${name(key)}; ${meant ? `did you mean ${name(meant)}?` : `known here: ${known.join(', ')}`}`;
}

type Holder = Record<string, unknown>;

/** The object and key that `path` names, groups on the way created. A sentence when that is not possible. */
function placeFor(settings: Holder, path: readonly string[]): { holder: Holder; key: string } | string {
  let holder = settings;
  for (const [depth, key] of path.entries()) {
    if (Array.isArray(holder) && Number(key) > holder.length) {
      return `\`${path.slice(0, depth).join('.')}\` has ${holder.length} entries: the next one is ${holder.length}`;
    }
    if (depth === path.length - 1) return { holder, key };
    const listNext = /^[0-9]+$/.test(path[depth + 1]);
    const held = Object.hasOwn(holder, key) ? holder[key] : undefined;
    if (typeof held !== 'object' || held === null) holder[key] = listNext ? [] : {};
    holder = holder[key] as Holder;
  }
  return 'write it as `path=value`';
}

function nodeAt(document: Document, path: Path): Node | null | undefined {
  let node: unknown = document.contents;
  for (const key of path) node = stepInto(document, node, key)?.node;
  return resolved(document, node) as Node | undefined;
}

/** The child `key` of a YAML node, and where it begins. */
function stepInto(document: Document, parent: unknown, key: string | number) {
  const node = resolved(document, parent);
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
    return pair && { node: pair.value, offset: (pair.key as Node).range?.[0] };
  }
  if (isSeq(node)) {
    const item = node.items[Number(key)] as Node | undefined;
    return item && { node: item, offset: item.range?.[0] };
  }
  return undefined;
}

function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** The first line of a library's message, without the place it repeats. */
function sentence(message: string): string {
  return message
    .split('\n')[0]
    .replace(/ at line \d+, column \d+:?$/, '')
    .replace(/:$/, '');
}
