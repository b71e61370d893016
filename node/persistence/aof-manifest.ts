import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RingsideError } from '../../lib/base/index.ts';
import { splitInline } from '../../lib/codec/resp/index.ts';
import { quoted } from '../../lib/metrics/index.ts';
import { AtomicFile, errorCode } from '../../lib/net/index.ts';
import { syncFolder } from './sync-folder.ts';

/** A part of an append-only file. */
export interface AofFile {
  /** Name inside the folder. */
  readonly name: string;
  readonly seq: number;
}

/** Of which parts an append-only file consists, in the order in which they are loaded. */
export interface AofManifest {
  /** The data set as it was; null when the first part that is there tells it from the beginning. */
  readonly base: AofFile | null;
  /** What is no longer needed and not yet removed. */
  readonly histories: readonly AofFile[];
  /** What has happened since the base. */
  readonly incrs: readonly AofFile[];
}

const EMPTY: AofManifest = { base: null, histories: [], incrs: [] };
/** Redis reads no longer line. */
const MAX_LINE_BYTES = 1024;
const COMMENT = '#';
/** What Redis puts in quotes. */
const UNUSUAL = /[^\x21-\x7e]|["\\]/;

/**
 * The folder that an append-only file of several parts is in, and the manifest that says which (as redis-server 7.0 has it; aof.c). One
 * process at a time may own it.
 */
export class AofFolder {
  /** The folder itself. */
  readonly path: string;
  /** `appendfilename`: what the names of all parts begin with. */
  readonly filename: string;
  readonly #file: AtomicFile;
  /** What is on disk. */
  manifest: AofManifest = EMPTY;

  private constructor(path: string, filename: string) {
    this.path = path;
    this.filename = filename;
    this.#file = new AtomicFile(join(path, `${filename}.manifest`));
  }

  /**
   * Reads the manifest of `appendfilename` in the folder `appenddirname` of `dir`; without one there are no parts. Nothing is created.
   * Rejects with RingsideError `config_invalid` when it makes no sense.
   */
  static async open(dir: string, appenddirname: string, appendfilename: string): Promise<AofFolder> {
    const folder = new AofFolder(join(dir, appenddirname), appendfilename);
    const text = await folder.#read();
    if (text !== null) folder.manifest = parseManifest(folder.manifestPath, text);
    return folder;
  }

  async #read(): Promise<string | null> {
    try {
      return await this.#file.read();
    } catch (error) {
      // Something that is no folder has the folder's name: whoever writes will hear of it.
      if (errorCode(error) === 'ENOTDIR') return null;
      throw new RingsideError('config_invalid', `${this.manifestPath} cannot be read: ${error}`, {
        cause: error,
      });
    }
  }

  /** Where the manifest is. */
  get manifestPath(): string {
    return this.#file.path;
  }

  /** Whether there is nothing to load. */
  get isEmpty(): boolean {
    return this.manifest.base === null && this.manifest.incrs.length === 0;
  }

  /** Where a part is. */
  pathOf({ name }: AofFile): string {
    return join(this.path, name);
  }

  /** Name and number of the next base; an RDB. */
  get nextBase(): AofFile {
    const seq = (this.manifest.base?.seq ?? 0) + 1;
    return { name: `${this.filename}.${seq}.base.rdb`, seq };
  }

  /** Name and number of the next part behind all there are. */
  get nextIncr(): AofFile {
    const seq = (this.manifest.incrs.at(-1)?.seq ?? 0) + 1;
    return { name: `${this.filename}.${seq}.incr.aof`, seq };
  }

  /** Makes the folder where it is missing, for good. Rejects with the platform's error. */
  async create(): Promise<void> {
    await mkdir(this.path, { recursive: true });
    await syncFolder(dirname(this.path));
  }

  /**
   * Puts the manifest in the place of the former one. Resolves once it is on disk for good, with the names of files in the folder that were
   * made before. Rejects with the platform's error, and then the former one stays.
   */
  async save(manifest: AofManifest): Promise<void> {
    await this.#file.write(textOf(manifest));
    this.manifest = manifest;
  }
}

function textOf({ base, histories, incrs }: AofManifest): string {
  return [
    ...(base === null ? [] : [lineOf(base, 'b')]),
    ...histories.map((file) => lineOf(file, 'h')),
    ...incrs.map((file) => lineOf(file, 'i')),
  ].join('');
}

function lineOf({ name, seq }: AofFile, type: string): string {
  return `file ${UNUSUAL.test(name) ? quoted(Buffer.from(name)) : name} seq ${seq} type ${type}\n`;
}

function parseManifest(path: string, text: string): AofManifest {
  const fail = (line: number, reason: string) =>
    new RingsideError('config_invalid', `${path}, line ${line}: ${reason}`);
  const lines = text.split('\n');
  const tail = lines.pop()!;
  if (lines.length === 0 && tail === '') throw fail(1, 'Found an empty AOF manifest');
  let base: AofFile | null = null;
  const histories: AofFile[] = [];
  const incrs: AofFile[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.startsWith(COMMENT)) continue;
    if (Buffer.byteLength(line) >= MAX_LINE_BYTES) {
      throw fail(i + 1, 'The AOF manifest file contains too long line');
    }
    const part = parseLine(line);
    if (typeof part === 'string') throw fail(i + 1, part);
    if (part.type === 'h') histories.push(part.file);
    else if (part.type === 'b') {
      if (base !== null) throw fail(i + 1, 'Found duplicate base file information');
      base = part.file;
    } else if (part.type === 'i') {
      if (part.file.seq <= (incrs.at(-1)?.seq ?? 0)) {
        throw fail(i + 1, 'Found a non-monotonic sequence number');
      }
      incrs.push(part.file);
    } else throw fail(i + 1, 'Unknown AOF file type');
  }
  // Redis wants the end of every line.
  if (tail !== '' && !tail.startsWith(COMMENT)) {
    throw fail(lines.length + 1, 'The AOF manifest file contains too long line');
  }
  return { base, histories, incrs };
}

const INVALID = 'Invalid AOF manifest file format';

/** What a line says, or what is wrong with it. */
function parseLine(line: string): { file: AofFile; type: string } | string {
  const words = splitInline(Buffer.from(line))?.map((word) => word.toString());
  if (words === undefined || words.length < 6 || words.length % 2 !== 0) return INVALID;
  let name = '';
  let seq = 0;
  let type = '';
  for (let i = 0; i < words.length; i += 2) {
    const key = words[i].toLowerCase();
    const value = words[i + 1];
    if (key === 'file') {
      if (/[/\\]/.test(value)) return "File can't be a path, just a filename";
      name = value;
    } else if (key === 'seq') seq = Number.parseInt(value, 10);
    else if (key === 'type') type = value.slice(0, 1);
  }
  return name === '' || type === '' || !Number.isSafeInteger(seq) || seq === 0
    ? INVALID
    : { file: { name, seq }, type };
}
