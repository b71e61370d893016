/** Writes the table of docs/resp.md from the command table and the proxy's plans: `node scripts/write-routing-docs.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { routingTable } from '../test/support/routing-table.ts';

const page = new URL('../docs/resp.md', import.meta.url);
const BLOCK = /(?<=<!-- commands:begin -->\n).*(?=<!-- commands:end -->)/s;

writeFileSync(page, readFileSync(page, 'utf8').replace(BLOCK, routingTable));
