import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseReadyLine } from '../ready-line.ts';
import type { Assignment } from './assignment.ts';
import { formatLogLine } from './log-line.ts';
import type { Member } from './plan.ts';

// As bin/ringside: Node 22 would warn about the types.
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];
const ENTRY = join(import.meta.dirname, 'member.ts');

/** How a child ended: `code 1`, `SIGKILL`, … */
export type Ending = string;

/** What a child tells its owner. */
export interface ChildEvents {
  /** A line of its log, ready to be shown. */
  onLog(line: string): void;
  onEnd(child: Child, ending: Ending): void;
}

/** One process of the fleet. It ends when this process does, however that ends: its standard input closes then. */
export class Child {
  readonly member: Member;
  /** What listens, by protocol, once it says so. Rejects with the last line of its log when it ends before. */
  readonly ready: Promise<Readonly<Record<string, string>>>;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #running = true;

  constructor(member: Member, assignment: () => Assignment, events: ChildEvents) {
    this.member = member;
    this.#process = spawn(process.execPath, [...NODE_FLAGS, ENTRY, member.role, member.name], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Computed while the process starts. Stdin stays open: its end would be the end of the child.
    this.#process.stdin!.on('error', () => {}).write(`${JSON.stringify(assignment())}\n`);
    let lastLine = '';
    createInterface({ input: this.#process.stderr! }).on('line', (text) => {
      lastLine = text;
      if (text !== '') events.onLog(`${member.name} | ${formatLogLine(text)}`);
    });
    let endedAs: Ending = '';
    this.#ended = new Promise((resolve) => {
      // `close` comes after the last line of the log was read.
      this.#process.on('close', (code, signal) => {
        this.#running = false;
        endedAs = signal ?? `code ${code}`;
        resolve();
        events.onEnd(this, endedAs);
      });
      this.#process.on('error', (error) => events.onLog(`${member.name} | ${error.message}`));
    });
    this.ready = new Promise((resolve, reject) => {
      createInterface({ input: this.#process.stdout! }).on('line', (line) => {
        const listeners = parseReadyLine(line);
        if (listeners) resolve(listeners);
      });
      void this.#ended.then(() =>
        reject(new Error(lastLine.replace(/^ringside: |\.$/g, '') || `it ended (${endedAs})`)),
      );
    });
    // Whoever waits for it hears of the rejection; nobody has to.
    this.ready.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Settles when the process is gone. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#running) this.#process.kill(signal);
  }
}
