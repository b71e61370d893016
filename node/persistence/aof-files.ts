import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type AofFile, AofFolder } from './aof-manifest.ts';
import { AppendFile } from './append-file.ts';

/** The parts of an append-only file on disk, and how large they are. Methods reject with the platform's error. */
export class AofFiles {
  readonly #folder: AofFolder;
  #lastSeq: number;
  /** The part that grows. */
  #last: AppendFile | null = null;
  #formerBytes = 0;
  /** Parts that the manifest has never named. */
  #unlisted: AofFile[] = [];
  /** Bytes of all parts when the base was made. */
  baseBytes = 0;

  private constructor(folder: AofFolder) {
    this.#folder = folder;
    this.#lastSeq = folder.manifest.incrs.at(-1)?.seq ?? 0;
  }

  /** Opens the folder, makes it where it is missing, and removes what was left over. */
  static async open(dir: string, appenddirname: string, appendfilename: string): Promise<AofFiles> {
    const folder = await AofFolder.open(dir, appenddirname, appendfilename);
    await folder.create();
    const files = new AofFiles(folder);
    await files.#removeLeftovers();
    await files.#measure();
    return files;
  }

  async #removeLeftovers(): Promise<void> {
    const { path, filename } = this.#folder;
    const isLeftover = (name: string) => name.startsWith(`.${filename}.`) && name.includes('.tmp-');
    for (const name of await readdir(path)) if (isLeftover(name)) await rm(join(path, name), { force: true });
    if (this.isEmpty) return;
    // What a crash has left that the manifest was yet to name.
    const { nextBase, nextIncr } = this.#folder;
    for (const file of [nextBase, nextIncr]) await rm(this.#folder.pathOf(file), { force: true });
    await this.#removeHistories();
  }

  async #measure(): Promise<void> {
    const { base, incrs } = this.#folder.manifest;
    this.baseBytes = base === null ? 0 : (await stat(this.#folder.pathOf(base))).size;
    this.#formerBytes = this.baseBytes;
    for (const file of incrs) this.#formerBytes += (await stat(this.#folder.pathOf(file))).size;
  }

  /** Whether there is no part. */
  get isEmpty(): boolean {
    return this.#folder.isEmpty;
  }

  /** Where the parts are that the manifest names, in the order in which they are loaded. */
  get paths(): string[] {
    const { base, incrs } = this.#folder.manifest;
    return [...(base === null ? [] : [base]), ...incrs].map((file) => this.#folder.pathOf(file));
  }

  /** Bytes of all parts. */
  get bytes(): number {
    return this.#formerBytes + (this.#last?.size ?? 0);
  }

  /** Where the next base is to be written. */
  get nextBasePath(): string {
    return this.#folder.pathOf(this.#folder.nextBase);
  }

  /** Name and number of the next part. */
  nextPart(): AofFile {
    const seq = ++this.#lastSeq;
    return { name: `${this.#folder.filename}.${seq}.incr.aof`, seq };
  }

  /** Goes on with the last part; null when there is none. */
  async openLast(): Promise<AppendFile | null> {
    const last = this.#folder.manifest.incrs.at(-1);
    if (last === undefined) return null;
    const file = await AppendFile.open(this.#folder.pathOf(last));
    this.#formerBytes -= file.size;
    this.#last = file;
    return file;
  }

  /** Makes a part that begins with `head`; `isListed`: it is loaded from now on. */
  async create(part: AofFile, head: Buffer, { isListed }: { isListed: boolean }): Promise<AppendFile> {
    const folder = this.#folder;
    const file = await AppendFile.create(folder.pathOf(part));
    try {
      await file.write([head]);
      await file.sync();
      const { manifest } = folder;
      if (isListed) await folder.save({ ...manifest, incrs: [...manifest.incrs, part] });
      else this.#unlisted.push(part);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#formerBytes = this.bytes;
    this.#last = file;
    return file;
  }

  /** The base that has been written takes the place of everything before `firstKept`; null: of everything. */
  async replaceBase(firstKept: AofFile | null): Promise<void> {
    const folder = this.#folder;
    const { base, incrs, histories } = folder.manifest;
    const next = folder.nextBase;
    const isKept = ({ seq }: AofFile) => firstKept !== null && seq >= firstKept.seq;
    const kept = [...incrs, ...this.#unlisted].filter(isKept);
    const gone = [...(base === null ? [] : [base]), ...incrs.filter((file) => !isKept(file))];
    await folder.save({ base: next, histories: [...histories, ...gone], incrs: kept });
    const orphans = this.#unlisted.filter((file) => !isKept(file));
    this.#unlisted = [];
    for (const file of orphans) await rm(folder.pathOf(file), { force: true });
    await this.#removeHistories();
    this.#formerBytes = (await stat(folder.pathOf(next))).size;
    if (firstKept === null) this.#last = null;
    this.baseBytes = this.bytes;
  }

  /** Removes what is no longer needed. */
  async #removeHistories(): Promise<void> {
    const { manifest } = this.#folder;
    if (manifest.histories.length === 0) return;
    for (const file of manifest.histories) await rm(this.#folder.pathOf(file), { force: true });
    await this.#folder.save({ ...manifest, histories: [] });
  }
}
