import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { memcachedBaseline, memcachedScript, memcachedTable, runFiles } from '../support/memcached-t.ts';
import { startStandaloneNode } from '../support/ringside.ts';

/*
 * memcached's own tests over the network (t/*.t of Debian's source package), against a proxy in front of three nodes. Each file must pass what
 * memcached 1.6.18 passes of it in the same way. With RINGSIDE_WRITE_DOCS=1 the table in docs/compatibility.md is written anew.
 */

const script = memcachedScript();
const skip = script === null && 'skipped: the tests are not there (RINGSIDE_SHARED, default ../shared)';
const document = join(import.meta.dirname, '../../docs/compatibility.md');
const [BEGIN, END] = ['<!-- memcached:begin -->', '<!-- memcached:end -->'];

t.test("memcached's own tests", { skip, timeout: 1_200_000 }, async (t) => {
  const nodes = await Promise.all([0, 1, 2].map(() => startStandaloneNode(t)));
  const files = Object.keys(memcachedBaseline.passes).filter(
    (file) => !Object.hasOwn(memcachedBaseline.notApplicable, file),
  );
  const results = await runFiles(
    script!,
    files,
    nodes.map(({ ready }) => ready.resp),
  );
  const table = memcachedTable(results);
  t.comment(table);
  if (process.env.RINGSIDE_WRITE_DOCS === '1') {
    const text = readFileSync(document, 'utf8');
    const from = text.indexOf(BEGIN) + BEGIN.length;
    writeFileSync(document, `${text.slice(0, from)}\n${table}\n${text.slice(text.indexOf(END))}`);
  }
  for (const { file, failed } of results) t.equal(failed, 0, file);
});
