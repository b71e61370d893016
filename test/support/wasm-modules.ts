import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import wabt from 'wabt';

const LINE = 110;

/** Sources in WebAssembly's text format, without the ending: each lies assembled beside itself. */
export const wasmSources = [
  'lib/codec/resp/bulk-scanner',
  'lib/ring/key-sorter',
  'proxy/core/value-merger',
  'proxy/near/front-table',
] as const;

/** Where the source of this module, or what is made of it, lies. */
export function wasmFile(source: string, ending: '.wat' | '-wasm.ts'): URL {
  return new URL(`../../${source}${ending}`, import.meta.url);
}

/** What the TypeScript file of a module has to be: its source, assembled. */
export async function wasmModule(source: string): Promise<string> {
  const name = basename(source);
  const { parseWat } = await wabt();
  const wat = readFileSync(wasmFile(source, '.wat'), 'utf8');
  const { buffer } = parseWat(`${name}.wat`, wat.trim()).toBinary({});
  const text = Buffer.from(buffer).toString('base64');
  const lines = text.match(new RegExp(`.{1,${LINE}}`, 'g'))!.map((line) => `  '${line}'`);
  const constant = `${name}-wasm`.replace(/-./g, ([, letter]) => letter.toUpperCase());
  return `/** \`${name}.wat\`, assembled by scripts/write-wasm-modules.ts. */\nexport const ${constant} =\n${lines.join(' +\n')};\n`;
}
