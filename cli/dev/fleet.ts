import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, RingsideError } from '../../lib/base/index.ts';
import type { Assignment } from './assignment.ts';
import { Child, type Ending } from './child.ts';
import type { Member } from './plan.ts';

// Together below the 5 s within which Ctrl-C has to have ended everything.
const DRAIN_MS = 1500;
const END_MS = 1500;
// A process that ran this long did start: its next failure is a new story.
const SETTLED_MS = 10_000;
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5000;

/** How a fleet is run. */
export interface FleetOptions {
  /** What a process is told to do. */
  assignmentOf(member: Member): Assignment;
  readonly restart: boolean;
  readonly clock: Clock;
  /** Takes a line of a child's log. */
  log(line: string): void;
  /** Takes a line about what happened to a child. */
  say(line: string): void;
}

/** The processes of `ringside dev`. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #children = new Map<string, Child>();
  #isStopping = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Starts all; settles with every listener once all of them listen. Rejects with the first that cannot. */
  async start(
    members: readonly Member[],
  ): Promise<{ member: Member; listeners: Readonly<Record<string, string>> }[]> {
    const children = members.map((member) => this.#spawn(member, 0));
    return Promise.all(
      children.map(async (child) => {
        try {
          return { member: child.member, listeners: await child.ready };
        } catch (error) {
          throw new RingsideError(
            'unavailable',
            `${child.member.name} did not start: ${(error as Error).message}`,
          );
        }
      }),
    );
  }

  /** Ends all: proxies first, so that they can finish what is under way; what is not gone in time is killed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#end((child) => child.member.role === 'proxy', DRAIN_MS);
    await this.#end(() => true, END_MS);
    this.kill();
    await Promise.all([...this.#children.values()].map((child) => child.ended));
  }

  /** Ends all at once. */
  kill(): void {
    this.#isStopping = true;
    for (const child of this.#children.values()) child.kill('SIGKILL');
  }

  async #end(which: (child: Child) => boolean, graceMs: number): Promise<void> {
    const children = [...this.#children.values()].filter((child) => child.isRunning && which(child));
    for (const child of children) child.kill('SIGTERM');
    const grace = new AbortController();
    await Promise.race([
      Promise.all(children.map((child) => child.ended)),
      delay(graceMs, undefined, { signal: grace.signal }).catch(() => {}),
    ]);
    grace.abort();
  }

  #spawn(member: Member, attempt: number): Child {
    const startedMs = this.#options.clock.monotonicMs();
    const child = new Child(member, () => this.#options.assignmentOf(member), {
      onLog: (line) => this.#options.log(line),
      onEnd: (ended, ending) => {
        const settled = this.#options.clock.monotonicMs() - startedMs > SETTLED_MS;
        this.#ended(ended, ending, settled ? 0 : attempt);
      },
    });
    this.#children.set(member.name, child);
    return child;
  }

  #ended({ member, pid }: Child, ending: Ending, attempt: number): void {
    if (this.#isStopping) return;
    const { restart, say } = this.#options;
    say(`${member.name} (pid ${pid}) ended: ${ending}${restart ? '; starting it again' : ''}`);
    if (!restart) return;
    const delayMs = Math.min(FIRST_RESTART_MS * 2 ** attempt, LAST_RESTART_MS);
    setTimeout(() => this.#isStopping || this.#spawn(member, attempt + 1), delayMs);
  }
}
