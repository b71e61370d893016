import { type Logger, systemClock, systemRandom } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import { createLogger } from '../lib/net/index.ts';
import { readyLine } from './ready-line.ts';

// A process whose parent was killed must not stay because somebody is slow to answer.
const ORPHAN_GRACE_MS = 2000;

/** What every role is started with. */
export interface RoleDeps {
  readonly clock: typeof systemClock;
  readonly random: typeof systemRandom;
  readonly log: Logger;
}

/** A role that runs. */
export interface RunningRole {
  /** `host:port` of everything that listens, by protocol, in the order to be shown. */
  readonly listeners: Readonly<Record<string, string>>;
  /** Asked before `close` with what told the process to end; false: not now, it goes on. Without it, the answer is yes. */
  mayClose?(reason: string): Promise<boolean>;
  /** Ends gracefully: nothing new is accepted, what is under way finishes. */
  close(): Promise<void>;
}

/** The process that a role belongs to. */
export interface Parent {
  /** Settles when the parent is gone, however it ended. */
  readonly gone: Promise<void>;
}

/** What runs, and how. */
export interface RoleIdentity {
  readonly role: string;
  readonly id?: string | null;
  readonly json?: boolean;
  readonly parent?: Parent;
}

/**
 * Runs one role until SIGTERM or SIGINT: prints its ready line on stdout once it listens, closes it gracefully at the first
 * signal, and ends at once at the second. With a parent, Ctrl-C, which reaches every process of the terminal, is left to that,
 * and the process ends when the parent is gone.
 */
export async function runRole(
  config: Config,
  { role, id, json, parent }: RoleIdentity,
  start: (deps: RoleDeps) => Promise<RunningRole>,
): Promise<void> {
  const orders = new Orders(parent);
  const log = createLogger({ level: config.logLevel, role, id: id ?? undefined });
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'a defect of Ringside ends this process');
    process.exit(1);
  });
  // Told to end while it waits for what it needs (a proxy for its first ring): nobody is served yet, so nothing is to be drained.
  let running: RunningRole | null = null;
  void orders.next().then(() => running ?? process.exit(0));
  running = await start({ clock: systemClock, random: systemRandom, log });
  process.stdout.write(readyLine(running.listeners, json));
  let reason = await orders.next();
  while (running.mayClose && !(await running.mayClose(reason))) {
    log.warn({ reason }, 'does not end');
    orders.forget();
    reason = await orders.next();
  }
  log.info({ reason }, 'closing');
  await running.close();
  log.info('closed');
  process.exit(0);
}

/** What tells the process to end. Told once more before it has ended, it ends at once. */
class Orders {
  #next: Promise<string> = Promise.resolve('');
  #give: (reason: string) => void = () => {};
  #isTold = false;

  constructor(parent: Parent | undefined) {
    this.forget();
    const tell = (reason: string) => {
      if (this.#isTold) process.exit(1);
      this.#isTold = true;
      this.#give(reason);
    };
    process.on('SIGTERM', () => tell('SIGTERM'));
    // A file as large as the system allows is an error of the write, which is answered, and no reason to end.
    process.on('SIGXFSZ', () => {});
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => parent || tell(signal));
    void parent?.gone.then(() => {
      setTimeout(() => process.exit(1), ORPHAN_GRACE_MS).unref();
      if (!this.#isTold) tell('parent is gone');
    });
  }

  /** The order that is there or comes. */
  next(): Promise<string> {
    return this.#next;
  }

  /** The last one was not followed. */
  forget(): void {
    this.#isTold = false;
    this.#next = new Promise((give) => {
      this.#give = give;
    });
  }
}
