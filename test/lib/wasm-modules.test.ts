import { readFileSync } from 'node:fs';
import t from 'tap';
import { wasmFile, wasmModule, wasmSources } from '../support/wasm-modules.ts';

/* What is written in WebAssembly's text format lies assembled beside its source. */

for (const source of wasmSources) {
  t.test(`${source} is what its source says`, async (t) => {
    const written = readFileSync(wasmFile(source, '-wasm.ts'), 'utf8');
    t.equal(written, await wasmModule(source), 'node scripts/write-wasm-modules.ts');
  });
}
