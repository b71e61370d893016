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
  const ended = untilTold(parent);
  const log = createLogger({ level: config.logLevel, role, id: id ?? undefined });
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'a defect of Ringside ends this process');
    process.exit(1);
  });
  // Told to end while it waits for what it needs (a proxy for its first ring): nobody is served yet, so nothing is to be drained.
  let running: RunningRole | null = null;
  void ended.then(() => running ?? process.exit(0));
  running = await start({ clock: systemClock, random: systemRandom, log });
  process.stdout.write(readyLine(running.listeners, json));
  const reason = await ended;
  log.info({ reason }, 'closing');
  await running.close();
  log.info('closed');
  process.exit(0);
}

/** Settles with what told the process to end. Told once more, it ends at once. */
function untilTold(parent: Parent | undefined): Promise<string> {
  return new Promise((resolve) => {
    let told = false;
    const tell = (reason: string) => {
      if (told) process.exit(1);
      told = true;
      resolve(reason);
    };
    process.on('SIGTERM', () => tell('SIGTERM'));
    // A file as large as the system allows is an error of the write, which is answered, and no reason to end.
    process.on('SIGXFSZ', () => {});
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => parent || tell(signal));
    void parent?.gone.then(() => {
      setTimeout(() => process.exit(1), ORPHAN_GRACE_MS).unref();
      if (!told) tell('parent is gone');
    });
  });
}
