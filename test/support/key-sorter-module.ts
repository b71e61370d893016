import { readFileSync } from 'node:fs';
import wabt from 'wabt';

const LINE = 110;

/** What lib/ring/key-sorter-wasm.ts has to be: lib/ring/key-sorter.wat, assembled. */
export async function keySorterModule(): Promise<string> {
  const source = readFileSync(new URL('../../lib/ring/key-sorter.wat', import.meta.url), 'utf8');
  const { parseWat } = await wabt();
  const { buffer } = parseWat('key-sorter.wat', source.trim()).toBinary({});
  const text = Buffer.from(buffer).toString('base64');
  const lines = text.match(new RegExp(`.{1,${LINE}}`, 'g'))!.map((line) => `  '${line}'`);
  return `/** \`key-sorter.wat\`, assembled by scripts/write-key-sorter-wasm.ts. */\nexport const keySorterWasm =\n${lines.join(' +\n')};\n`;
}
