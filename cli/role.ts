import { type Logger, systemClock, systemRandom } from '../lib/base/index.ts';
import type { Config } from '../lib/config/index.ts';
import { createLogger } from '../lib/net/index.ts';
import { readyLine } from './ready-line.ts';

/** Set by `ringside dev` for its children: the process ends when its standard input does, which is when dev is gone. */
export const FOLLOW_STDIN = 'RINGSIDE_FOLLOW_STDIN';

// A child whose dev was killed must not stay because somebody is slow to answer.
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
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => tell(signal));
    if (process.env[FOLLOW_STDIN]) followStdin(() => told || tell('parent is gone'));
  });
}

function followStdin(onGone: () => void): void {
  const gone = () => {
    setTimeout(() => process.exit(1), ORPHAN_GRACE_MS).unref();
    onGone();
  };
  process.stdin.on('end', gone).on('error', gone).resume();
  // Only a reason to end, never one to stay.
  (process.stdin as unknown as { unref?(): void }).unref?.();
}
