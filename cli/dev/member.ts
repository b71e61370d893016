// node cli/dev/member.ts ROLE NAME
//
// One process of `ringside dev`. What it is to do comes as a line of JSON on its standard input; the end of that is the end of
// dev, however dev ended. Unlike cli/main.ts it needs no YAML, no schema and no command line: a third of the start of each process.
import { existsSync, rmSync } from 'node:fs';
import { failureOf, sentenceOf } from '../errors.ts';
import { type RoleName, roles } from '../roles.ts';
import type { Assignment } from './assignment.ts';

/** Reads the first line of stdin, or null when it ends before; `gone` settles at its end. */
function readAssignment(): { assignment: Promise<Assignment | null>; gone: Promise<void> } {
  const { stdin } = process;
  const gone = new Promise<void>((resolve) => {
    stdin.once('end', resolve).once('error', () => resolve());
  });
  const assignment = new Promise<Assignment | null>((resolve) => {
    let text = '';
    const onData = (chunk: string) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      stdin.off('data', onData).resume();
      resolve(JSON.parse(text));
    };
    stdin.setEncoding('utf8').on('data', onData);
    void gone.then(() => resolve(null));
  });
  return { assignment, gone };
}

async function main(role: RoleName): Promise<void> {
  const { assignment, gone } = readAssignment();
  const given = await assignment;
  if (given === null) return;
  const { config, orphanRemoves } = given;
  void gone.then(() => {
    // Nobody else is left to do it; of all members, the last one to end succeeds.
    if (orphanRemoves !== null) process.once('exit', () => removeFolder(orphanRemoves));
  });
  await roles[role](config, { parent: { gone } });
}

function removeFolder(path: string): void {
  // Members that end together get in each other's way, which may leave all of them with a part undone.
  for (let attempt = 0; attempt < 10 && existsSync(path); attempt++) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    } catch {}
  }
}

try {
  await main(process.argv[2] as RoleName);
} catch (error) {
  process.stderr.write(sentenceOf(failureOf(error)));
  process.exit(1);
}
