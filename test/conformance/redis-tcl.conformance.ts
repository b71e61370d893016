import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { baseline, conformanceTable, reasons, runUnits, suiteScript } from '../support/redis-tcl.ts';

/*
 * Redis's own test suite, in external-server mode, against a node. What redis-server 7.0.15 passes counts, less the tests that use EVAL, FUNCTION
 * or streams. With RINGSIDE_WRITE_DOCS=1 the table in docs/compatibility.md is written anew.
 */

const BAR = 0.95;
const script = suiteScript();
const skip = script === null && 'skipped: the suite is not there (RINGSIDE_SHARED, default ../shared)';
const document = join(import.meta.dirname, '../../docs/compatibility.md');
const [BEGIN, END] = ['<!-- conformance:begin -->', '<!-- conformance:end -->'];

t.test("Redis's own suite against a node", { skip, timeout: 3_600_000 }, async (t) => {
  const asked = process.env.RINGSIDE_UNITS?.split(' ') ?? Object.keys(baseline);
  const results = await runUnits(script!, asked);
  const table = conformanceTable(results);
  t.comment(table);
  if (process.env.RINGSIDE_WRITE_DOCS === '1') {
    const text = readFileSync(document, 'utf8');
    const from = text.indexOf(BEGIN) + BEGIN.length;
    writeFileSync(document, `${text.slice(0, from)}\n${table}\n${text.slice(text.indexOf(END))}`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.flatMap((result) => result.failed);
  t.ok(passed / (passed + failed.length) >= BAR, `${passed} of ${passed + failed.length} passed`);
  t.same(
    [...new Set(failed)].filter((name) => !(name in reasons)),
    [],
    'every failure has its reason in test/conformance/reasons.json',
  );
});
