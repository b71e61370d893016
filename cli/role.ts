import { rmSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { type Logger, systemClock, systemRandom } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import { createLogger } from '../lib/net/index.ts';
import { readyLine } from './ready-line.ts';

/** Set by `ringside dev` for its children: the process ends when its standard input does, which is when dev is gone. */
export const FOLLOW_STDIN = 'RINGSIDE_FOLLOW_STDIN';

/** Set beside it: a temporary folder to remove then, since nobody else is left to do it. */
export const ORPHAN_REMOVES = 'RINGSIDE_ORPHAN_REMOVES';

// A child whose dev was killed must not stay because somebody is slow to answer.
const ORPHAN_GRACE_MS = 2000;
const FLUSH_DELAY_MS = 2000;

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

/**
 * Runs one role until SIGTERM or SIGINT: prints its ready line on stdout once it listens, closes it gracefully at the first
 * signal, and ends at once at the second.
 */
export async function runRole(
  config: Config,
  who: { role: string; id?: string | null; json?: boolean },
  start: (deps: RoleDeps) => Promise<RunningRole>,
): Promise<void> {
  const ended = untilTold();
  const log = createLogger({ level: config.logLevel, role: who.role, id: who.id ?? undefined });
  const running = await start({ clock: systemClock, random: systemRandom, log });
  process.stdout.write(readyLine(running.listeners, who.json));
  // A process that is killed has not written what it compiled.
  setTimeout(flushCompileCache, FLUSH_DELAY_MS).unref();
  const reason = await ended;
  log.info({ reason }, 'closing');
  await running.close();
  log.info('closed');
  process.exit(0);
}

/** Settles with what told the process to end. Told once more, it ends at once. */
function untilTold(): Promise<string> {
  return new Promise((resolve) => {
    let told = false;
    const tell = (reason: string) => {
      if (told) process.exit(1);
      told = true;
      resolve(reason);
    };
    const isChild = process.env[FOLLOW_STDIN] !== undefined;
    process.on('SIGTERM', () => tell('SIGTERM'));
    // Ctrl-C reaches every process of the terminal; the children of dev wait for what dev says.
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => isChild || tell(signal));
    if (isChild) followStdin(() => told || tell('parent is gone'));
  });
}

function followStdin(onGone: () => void): void {
  const gone = () => {
    const folder = process.env[ORPHAN_REMOVES];
    if (folder) process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
    setTimeout(() => process.exit(1), ORPHAN_GRACE_MS).unref();
    onGone();
  };
  process.stdin.on('end', gone).on('error', gone).resume();
  // Only a reason to end, never one to stay.
  (process.stdin as unknown as { unref?(): void }).unref?.();
}
