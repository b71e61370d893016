import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { playToBoth } from '../support/transcript.ts';

/* Lists, hashes and sets as clients see them: every reply byte for byte. */

const folder = new URL('transcripts/', import.meta.url);

for (const name of globSync('*.txt', { cwd: fileURLToPath(folder) }).sort()) {
  t.test(name, (t) => playToBoth(t, new URL(name, folder)));
}
