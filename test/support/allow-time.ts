import type { Test } from 'tap';

/** Lets this file and its tests take `ms` instead of what .taprc allows: for work that other work on the machine makes many times slower. */
export function allowTime(t: Test, ms: number): void {
  t.setTimeout(ms);
  // The runner has a clock of its own, and takes this for a word to it.
  t.comment(`timeout=${ms}`);
}
