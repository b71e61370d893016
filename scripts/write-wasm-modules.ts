/** Assembles each module of WebAssembly into the TypeScript file beside its source: `node scripts/write-wasm-modules.ts`. */
import { writeFileSync } from 'node:fs';
import { wasmFile, wasmModule, wasmSources } from '../test/support/wasm-modules.ts';

for (const source of wasmSources) writeFileSync(wasmFile(source, '-wasm.ts'), await wasmModule(source));
