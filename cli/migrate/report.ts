import type { Progress } from './progress.ts';

/** Lines follow each other at least so far apart. */
const EVERY_MS = 1000;
const WIDTHS = [9, 23, 17, 17];

/** Of a cut-over, `atMs` is when, from its beginning. */
export interface StepFacts {
  readonly atMs?: number;
  readonly [name: string]: unknown;
}

/** Where a migration says what it does: lines of at most 80 characters, or one JSON object a line. */
export class Reporter {
  readonly #isJson: boolean;
  readonly #write: (text: string) => void;
  #lastMs = -Infinity;
  #lastPhase = '';

  constructor(isJson: boolean, write: (text: string) => void) {
    this.#isJson = isJson;
    this.#write = write;
  }

  /** Something was done, or is to be known. `facts` are for the JSON. */
  say(step: string, text: string, facts: StepFacts = {}): void {
    if (this.#isJson) this.#write(`${JSON.stringify({ step, message: text, ...facts })}\n`);
    else
      this.#write(
        `${wrap(facts.atMs === undefined ? text : `+${String(facts.atMs).padEnd(4)} ms  ${text}`)}\n`,
      );
  }

  /** How far the target is: once a second, and when the phase changes. */
  progress(nowMs: number, progress: Progress): void {
    if (progress.phase === this.#lastPhase && nowMs - this.#lastMs < EVERY_MS) return;
    if (this.#lastPhase === '' && !this.#isJson)
      this.#write(`${columns(['PHASE', 'KEYS', 'SNAPSHOT', 'LAG', 'ETA'])}\n`);
    this.#lastMs = nowMs;
    this.#lastPhase = progress.phase;
    this.#write(this.#isJson ? `${JSON.stringify(jsonOf(progress))}\n` : `${columns(cellsOf(progress))}\n`);
  }
}

/** Numbers of 64 bits are strings. */
function jsonOf({
  snapshotBytes,
  snapshotTotalBytes,
  lagBytes,
  lagSeconds,
  drainSeconds,
  etaSeconds,
  ...rest
}: Progress): object {
  return {
    step: 'follow',
    ...rest,
    snapshotBytes: String(snapshotBytes),
    snapshotTotalBytes: snapshotTotalBytes === 0 ? null : String(snapshotTotalBytes),
    lagBytes: lagBytes === null ? null : String(lagBytes),
    lagSeconds: lagSeconds === null ? null : round(lagSeconds),
    drainSeconds: drainSeconds === null ? null : round(drainSeconds),
    etaSeconds: etaSeconds === null ? null : round(etaSeconds),
  };
}

function cellsOf(progress: Progress): string[] {
  const { phase, keys, sourceKeys, snapshotBytes, snapshotTotalBytes, lagBytes, lagSeconds, etaSeconds } =
    progress;
  const total = snapshotTotalBytes > 0 ? `/${sizeText(snapshotTotalBytes)}` : '';
  return [
    phase,
    `${count(keys)} / ${count(sourceKeys)}`,
    snapshotBytes === 0 ? '-' : `${sizeText(snapshotBytes)}${total}`,
    lagBytes === null ? '-' : `${sizeText(lagBytes)}, ${round(lagSeconds ?? 0)} s`,
    etaSeconds === null ? '-' : durationText(etaSeconds),
  ];
}

function columns(cells: readonly string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join(' ')
    .trimEnd();
}

/** `1.5 MB`, by powers of 1000. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

function durationText(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Breaks at spaces, so that no line is wider than 80. */
function wrap(text: string): string {
  return text.replace(/(.{1,80})(?: |$)/g, '$1\n').trimEnd();
}
