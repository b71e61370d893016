/** Assembles lib/ring/key-sorter.wat into lib/ring/key-sorter-wasm.ts: `node scripts/write-key-sorter-wasm.ts`. */
import { writeFileSync } from 'node:fs';
import { keySorterModule } from '../test/support/key-sorter-module.ts';

writeFileSync(new URL('../lib/ring/key-sorter-wasm.ts', import.meta.url), await keySorterModule());
