import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import type { Random } from '../../../lib/base/index.ts';
import { cutRoom } from '../../../node/persistence/aof-room.ts';
import { until } from '../until.ts';
import {
  flipAny,
  flipMark,
  type Injury,
  manifestOf,
  partsOf,
  remove,
  tear,
  tearWithin,
  whatIsWhole,
} from './aof-files.ts';
import { type Beside, CrashFolder } from './crash-folder.ts';
import type { Findings } from './findings.ts';
import { canCutPower } from './power-cut.ts';
import { type CrashServer, ringsideNode } from './servers.ts';

const ROUNDS_ON_A_FOLDER = 6;
const BULK = 20_000;
const REWRITTEN_FROM = '4mb';
/** What a sync once a second may be late by: on a machine that does much else at once, as long as it does not let the node run. */
const LATE_MS = process.env.RINGSIDE_LONG ? 300 : 1500;
/** What may be lost, by `appendfsync`: as in `Promised`. */
const lostWithinMs: Readonly<Record<string, number>> = {
  always: 0,
  everysec: 1000 + LATE_MS,
  no: Number.POSITIVE_INFINITY,
};

/** What is said of an AOF whose tail was torn, and of one that is damaged elsewhere. */
interface Words {
  readonly torn: RegExp;
  readonly damaged: RegExp;
}

const words: Readonly<Record<string, Words>> = {
  'ringside node': {
    torn: /which has been cut off/,
    damaged: /offset \d+.*redis-check-(aof --fix|rdb)|is not there/s,
  },
  'redis-server': {
    torn: /loaded anyway because aof-load-truncated is enabled/,
    // It says something else of each kind of damage, and not always what to do.
    damaged: /Server initialized/,
  },
};

/** The commands that make servers write files beside the AOF, one after the other. */
function rewrites(random: Random): Beside {
  return async (control, load) => {
    while (load.isRunning) {
      const reply = String(await control.send(random.int(4) === 0 ? 'BGSAVE' : 'BGREWRITEAOF'));
      // One may have begun by itself, since the file has grown.
      if (!/^Background|already in progress|child process is active/.test(reply)) throw new Error(reply);
      let info = '';
      do info = (await control.text('INFO', 'persistence'))!;
      while (/aof_rewrite_in_progress:1|aof_rewrite_scheduled:1|rdb_bgsave_in_progress:1/.test(info));
      if (/status:err/.test(info)) throw new Error(`a rewrite has failed: ${info}`);
    }
  };
}

/** What a run of rounds came to. */
export interface Total {
  rounds: number;
  lost: number;
  mostLostMs: number;
  torn: number;
  damaged: number;
}

/** Rounds of load, kill, damage and start, on folder after folder. */
export class AofRounds {
  readonly total: Total = { rounds: 0, lost: 0, mostLostMs: 0, torn: 0, damaged: 0 };
  readonly #t: Test;
  readonly #kind: CrashServer;
  readonly #random: Random;
  #folder: CrashFolder | null = null;
  #fsync = 'always';

  constructor(t: Test, kind: CrashServer, random: Random) {
    this.#t = t;
    this.#kind = kind;
    this.#random = random;
    t.teardown(() => this.#folder?.remove());
  }

  async #newFolder({ isFirst }: { isFirst: boolean }): Promise<CrashFolder> {
    await this.#folder?.remove();
    const settings = {
      appendonly: 'yes',
      appendfsync: this.#fsync,
      'auto-aof-rewrite-min-size': REWRITTEN_FROM,
    };
    // In some folders SIGKILL takes nothing that the kernel has.
    const cutsPower = canCutPower() && (this.#random.int(4) > 0 || isFirst);
    this.#folder = new CrashFolder({
      kind: this.#kind,
      settings,
      random: this.#random,
      bulk: BULK,
      cutsPower,
    });
    await this.#folder.start();
    await this.#folder.fill();
    return this.#folder;
  }

  /** So many rounds with one setting of `appendfsync`. */
  async run(fsync: string, rounds: number): Promise<void> {
    if (rounds === 0) return;
    this.#fsync = fsync;
    let folder = await this.#newFolder({ isFirst: true });
    for (let i = 1; i <= rounds; i++) {
      const findings = await this.#round(folder);
      if (i < rounds && (i % ROUNDS_ON_A_FOLDER === 0 || !findings.isComplete))
        folder = await this.#newFolder({ isFirst: false });
    }
  }

  async #round(folder: CrashFolder): Promise<Findings> {
    const random = this.#random;
    const ms = 200 + random.int(this.#fsync === 'always' ? 800 : 4800);
    await folder.loadAndKill(ms, random.int(2) === 0 ? rewrites(random) : undefined);
    this.total.rounds++;
    const kind = random.int(3);
    // What is torn and damaged below is what was written, not what is kept ahead of it.
    if (kind < 2) for (const { path } of partsOf(folder.dir)) await cutRoom(path);
    if (kind === 0) return this.#torn(folder);
    if (kind === 1) await this.#damaged(folder);
    await folder.start();
    const wasCut = folder.cuts.map(({ file, from, to }) => `${file.replace(/.*\//, '')} ${from}-${to}`);
    return this.#check(folder, lostWithinMs[this.#fsync], wasCut.join(' ') || 'killed');
  }

  async #check(folder: CrashFolder, withinMs: number, what: string): Promise<Findings> {
    const findings = await folder.findOut(withinMs);
    const { wrong, length, lost, lostMs } = findings;
    if (withinMs < Number.POSITIVE_INFINITY) {
      this.total.lost += lost;
      this.total.mostLostMs = Math.max(this.total.mostLostMs, lostMs);
    }
    const name = `round ${this.total.rounds}, ${this.#fsync}: ${length} lines; ${what}; ${lost} lost within ${lostMs.toFixed(0)} ms`;
    if (!this.#t.same(wrong, [], name)) this.#t.comment(folder.server.output().slice(-3000));
    return findings;
  }

  /** The tail of the last file goes: what comes before it is loaded, and the log says so. */
  async #torn(folder: CrashFolder): Promise<Findings> {
    const { path } = partsOf(folder.dir).at(-1)!;
    tear(path, this.#random);
    this.total.torn++;
    const bytes = readFileSync(path);
    const { end, lastLine } = whatIsWhole(bytes);
    await folder.start();
    const isTorn = end < bytes.length;
    if (isTorn) await this.#says(words[this.#kind.name].torn, 'the start warns');
    const findings = await this.#check(folder, Number.POSITIVE_INFINITY, 'torn tail');
    if (lastLine !== undefined) this.#t.equal(findings.lastLine, lastLine, 'all that is whole is there');
    return findings;
  }

  /** What it has said may still be on the way. */
  async #says(wanted: RegExp, name: string): Promise<void> {
    const { output } = this.#folder!.server;
    await until(name, () => wanted.test(output())).catch(() => null);
    this.#t.match(output(), wanted, name);
  }

  /** Anything else that is damaged stops the start; nothing is written over it, and the way that is named mends it. */
  async #damaged(folder: CrashFolder): Promise<void> {
    const injury = this.#injury(folder);
    if (injury === null) return;
    this.total.damaged++;
    const before = contents(folder);
    const refused = await folder.tryStart();
    if (!this.#t.ok(refused, `${injury.what} damaged: no start`)) {
      this.#t.comment(folder.server.output().slice(-2000));
      await folder.kill();
    }
    if (refused) this.#t.match(refused.output, words[this.#kind.name].damaged, 'says what to do');
    // redis-server cuts a torn file before it looks whether that is the last.
    if (this.#kind === ringsideNode) this.#t.same(contents(folder), before, 'the files are as they were');
    injury.undo();
  }

  #injury(folder: CrashFolder): Injury | null {
    const random = this.#random;
    const parts = partsOf(folder.dir);
    const incrs = parts.filter(({ type }) => type === 'incr');
    const base = parts.find(({ type }) => type === 'base');
    const makers = [
      () => flipMark(incrs[random.int(incrs.length)].path, random),
      () => (incrs.length > 1 ? tearWithin(incrs[0].path, random) : null),
      () => base && flipAny(base.path, 0, random),
      () => base && tear(base.path, random),
      () => remove(parts[random.int(parts.length)].path),
    ];
    return makers[random.int(makers.length)]() ?? null;
  }

  /** Damages the last file and does what the refusal says: the start succeeds, and what is there is a prefix. */
  async repair(): Promise<void> {
    const folder = this.#folder!;
    await folder.kill();
    const { path } = partsOf(folder.dir).at(-1)!;
    const injury = flipMark(path, this.#random);
    if (injury === null) return;
    this.#t.ok(await folder.tryStart(), `${injury.what} damaged: no start`);
    const fixed = spawnSync('redis-check-aof', ['--fix', manifestOf(folder.dir)], {
      input: 'y\n',
      encoding: 'utf8',
    });
    this.#t.equal(fixed.status, 0, `redis-check-aof --fix: ${fixed.stdout.slice(-200)}`);
    await folder.start();
    await this.#check(folder, Number.POSITIVE_INFINITY, 'repaired');
  }
}

function contents({ dir }: CrashFolder): string[] {
  return partsOf(dir).map(({ path }) => {
    try {
      return `${path} ${createHash('sha1').update(readFileSync(path)).digest('hex')}`;
    } catch {
      return `${path} is gone`;
    }
  });
}
