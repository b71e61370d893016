import { type Clock, errorCatalogue, type Logger } from '../lib/base/index.ts';
import type { Aof, Saves } from './persistence/index.ts';
import type { Followers } from './replication/followers.ts';
import type { ReplicationLog } from './replication/replication-log.ts';
import type { Pause } from './server/pause.ts';
import type { Settings } from './settings.ts';

/** How often it is looked whether the followers have everything. */
const POLL_MS = 10;
const SECOND_MS = 1000;
/** `shutdown-timeout` where nobody has set it, as in Redis. */
const DEFAULT_TIMEOUT_S = 10;

/** How a node is to end, in the words of SHUTDOWN and of `shutdown-on-sigterm`. */
export interface ShutdownHow {
  /** `default`: a snapshot is written when there are save points. */
  readonly saves: 'default' | 'yes' | 'no';
  /** Does not wait for followers. */
  readonly now: boolean;
  /** Ends even when what is to be written cannot be. */
  readonly force: boolean;
}

/** What `words` (lower case) ask for. */
export function shutdownHow(words: ReadonlySet<string>): ShutdownHow {
  const saves = words.has('save') ? 'yes' : words.has('nosave') ? 'no' : 'default';
  return { saves, now: words.has('now'), force: words.has('force') };
}

/** What the end of a node is about. */
export interface ShutdownParts {
  readonly replication: ReplicationLog;
  readonly saves: Saves;
  readonly aof: Aof;
  readonly followers: Followers;
  readonly pause: Pause;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  /** Part of a fleet. */
  readonly isClustered: boolean;
  /** Tells the process to end. */
  readonly endProcess: () => void;
}

/**
 * The orderly end of a node, as Redis does it (server.c of 7.0, prepareForShutdown): nobody writes any more, followers get up to `shutdown-timeout`
 * seconds for what they have not, and the snapshot is written; so that whoever comes back from the file finds its followers where it stands.
 * Until that has begun it can be aborted, and when something goes wrong the node goes on.
 */
export class Shutdown {
  readonly #parts: ShutdownParts;
  #ending: Promise<boolean> | null = null;
  #settle: (ends: boolean) => void = () => {};
  #how: ShutdownHow = shutdownHow(new Set());
  #timer: NodeJS.Timeout | undefined;
  /** How long followers have, monotonic milliseconds. */
  #deadlineMs = 0;
  #isDone = false;
  /** The process ends by itself when it may. */
  #isProcessTold = false;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
  }

  /**
   * Begins, or joins what is under way. Resolves with whether the process may end now; false when that was given up, and the node goes on.
   * `isProcessTold`: the process waits for that in order to end; otherwise it is told to.
   */
  begin(how: ShutdownHow, isProcessTold = false): Promise<boolean> {
    this.#isProcessTold ||= isProcessTold;
    if (this.#ending !== null) return this.#ending;
    this.#ending = new Promise((settle) => {
      this.#settle = settle;
    });
    const ending = this.#ending;
    this.#start(how);
    return ending;
  }

  #start(how: ShutdownHow): void {
    const { pause, followers, settings, clock, log } = this.#parts;
    this.#how = how;
    const isBehind = !this.#isLevel;
    if (isBehind) followers.askForAcknowledgement();
    pause.begin(Number.POSITIVE_INFINITY, 'write', 'shutdown');
    followers.isQuiet = true;
    const waitMs = how.now
      ? 0
      : SECOND_MS * Number(settings.kept.get('shutdown-timeout') ?? DEFAULT_TIMEOUT_S);
    if (!isBehind || waitMs === 0) {
      this.#finish();
      return;
    }
    log.info({ waitMs }, 'waiting for followers before the end');
    this.#deadlineMs = clock.monotonicMs() + waitMs;
    this.#timer = setInterval(() => {
      if (this.#isLevel || this.leftMs === 0) this.#finish();
    }, POLL_MS);
  }

  /** Milliseconds that followers have left at most; null while nobody waits for them. */
  get leftMs(): number | null {
    if (this.#ending === null || this.#isDone) return null;
    return Math.max(0, Math.ceil(this.#deadlineMs - this.#parts.clock.monotonicMs()));
  }

  get #isLevel(): boolean {
    const { followers, replication } = this.#parts;
    for (const { ackOffset } of followers.links) if (ackOffset < replication.end) return false;
    return true;
  }

  /** Gives up what is under way; false when nothing is, or it is too late. */
  abort(): boolean {
    if (this.#ending === null || this.#isDone) return false;
    this.#parts.log.warn({}, 'the end of this node was aborted');
    this.#giveUp();
    return true;
  }

  #giveUp(): void {
    const { pause, followers } = this.#parts;
    clearInterval(this.#timer);
    followers.isQuiet = false;
    pause.end('shutdown');
    this.#ending = null;
    this.#isProcessTold = false;
    this.#settle(false);
  }

  #finish(): void {
    clearInterval(this.#timer);
    this.#logLag();
    if (!this.#canLeave() && !this.#how.force) {
      this.#giveUp();
      return;
    }
    this.#isDone = true;
    const { saves, pause, isClustered } = this.#parts;
    saves.isSettled = true;
    // A proxy takes what has certainly not happened to the next leader; other clients are to take it for the end of a redis-server.
    if (isClustered) pause.refuse(errorCatalogue.read_only.resp);
    this.#settle(true);
    if (!this.#isProcessTold) this.#parts.endProcess();
  }

  #logLag(): void {
    const { followers, replication, log } = this.#parts;
    for (const { id, ackOffset, state } of followers.links) {
      if (ackOffset >= replication.end) continue;
      log.warn({ follower: id, behind: replication.end - ackOffset, state }, 'a follower has not everything');
    }
  }

  /** Whether all that is to be left behind is there; writes it. */
  #canLeave(): boolean {
    const { aof, saves, settings, log } = this.#parts;
    if (aof.state === 'waiting' && aof.isRewriting) {
      log.warn({}, "the AOF's first base is being written, and would be lost");
      // Who tells the process may not ask a second time; what was there before is a whole, older data set.
      if (!this.#isProcessTold && !this.#how.force) return false;
    }
    const isWanted =
      this.#how.saves === 'default' ? settings.savePoints.length > 0 : this.#how.saves === 'yes';
    // What is loaded in part, or has been written already, must not take the place of the file.
    if (!isWanted || !saves.hasData || saves.isSettled) return true;
    return saves.path === null ? this.#how.saves === 'default' : saves.saveNow(saves.path);
  }
}
