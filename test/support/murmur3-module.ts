import { readFileSync } from 'node:fs';
import wabt from 'wabt';

const LINE = 110;

/** What lib/ring/murmur3-wasm.ts has to be: lib/ring/murmur3.wat, assembled. */
export async function murmur3Module(): Promise<string> {
  const source = readFileSync(new URL('../../lib/ring/murmur3.wat', import.meta.url), 'utf8');
  const { parseWat } = await wabt();
  const { buffer } = parseWat('murmur3.wat', source.trim()).toBinary({});
  const text = Buffer.from(buffer).toString('base64');
  const lines = text.match(new RegExp(`.{1,${LINE}}`, 'g'))!.map((line) => `  '${line}'`);
  return `/** \`murmur3.wat\`, assembled by scripts/write-murmur3-wasm.ts. */\nexport const murmur3Wasm =\n${lines.join(' +\n')};\n`;
}
