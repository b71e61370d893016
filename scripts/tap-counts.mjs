// Adds up the totals that tap prints at the end of each run and prints them as `N passed, N failed, N skipped`.
// Exits with 1 when a log has no totals (the run was cut off), when nothing passed, or when anything failed.
import { readFileSync } from 'node:fs';

const counts = { pass: 0, fail: 0, skip: 0 };
let complete = true;
for (const file of process.argv.slice(2)) {
  const totals = readFileSync(file, 'utf8')
    .match(/^# \{ total: .*\}$/gm)
    ?.at(-1);
  if (!totals) {
    process.stderr.write(`tap-counts: ${file} has no totals: the run did not end by itself\n`);
    complete = false;
    continue;
  }
  for (const [, name, n] of totals.matchAll(/(pass|fail|skip): (\d+)/g)) counts[name] += Number(n);
}
process.stdout.write(`${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped\n`);
process.exitCode = complete && counts.pass > 0 && counts.fail === 0 ? 0 : 1;
