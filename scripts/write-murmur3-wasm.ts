/** Assembles lib/ring/murmur3.wat into lib/ring/murmur3-wasm.ts: `node scripts/write-murmur3-wasm.ts`. */
import { writeFileSync } from 'node:fs';
import { murmur3Module } from '../test/support/murmur3-module.ts';

writeFileSync(new URL('../lib/ring/murmur3-wasm.ts', import.meta.url), await murmur3Module());
