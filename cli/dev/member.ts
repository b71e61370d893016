// node cli/dev/member.ts ROLE NAME
//
// One process of `ringside dev`. What it is to do comes as a line of JSON on its standard input; the end of that is the end of
// dev, however dev ended. Unlike cli/main.ts it needs no YAML, no schema and no command line: a third of the start of each process.
import { rmSync } from 'node:fs';
import { failureOf, sentenceOf } from '../errors.ts';
import { type RoleName, roles } from '../roles.ts';
import type { Assignment } from './assignment.ts';

/** Reads the first line of stdin; `gone` settles at its end. */
function readAssignment(): { assignment: Promise<Assignment>; gone: Promise<void> } {
  const { stdin } = process;
  const gone = new Promise<void>((resolve) => {
    stdin.once('end', resolve).once('error', () => resolve());
  });
  const assignment = new Promise<Assignment>((resolve) => {
    let text = '';
    const onData = (chunk: string) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      stdin.off('data', onData).resume();
      resolve(JSON.parse(text));
    };
    stdin.setEncoding('utf8').on('data', onData);
  });
  return { assignment, gone };
}

const { assignment, gone } = readAssignment();
void gone.then(async () => {
  // Nobody else is left to do it, and whoever is last has to.
  const { orphanRemoves } = await assignment;
  if (orphanRemoves === null) return;
  process.once('exit', () => rmSync(orphanRemoves, { recursive: true, force: true, maxRetries: 3 }));
});

try {
  const { config } = await Promise.race([assignment, gone.then(() => process.exit(1))]);
  await roles[process.argv[2] as RoleName](config, { parent: { gone } });
} catch (error) {
  process.stderr.write(sentenceOf(failureOf(error)));
  process.exit(1);
}
