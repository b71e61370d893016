import t from 'tap';
import {
  conformanceTable,
  nodeSuite,
  runUnits,
  suiteScript,
  totalOf,
  unitsAskedFor,
  writeToDocs,
} from '../support/redis-tcl.ts';

/*
 * Redis's own test suite, in external-server mode, against a node. What redis-server 7.0.15 passes counts, less the tests that use EVAL, FUNCTION
 * or streams. With RINGSIDE_WRITE_DOCS=1 the table in docs/compatibility.md is written anew.
 */

const BAR = 0.95;
const script = suiteScript();
const skip = script === null && 'skipped: the suite is not there (RINGSIDE_SHARED, default ../shared)';

t.test("Redis's own suite against a node", { skip, timeout: 3_600_000 }, async (t) => {
  const results = await runUnits(script!, nodeSuite, unitsAskedFor(nodeSuite));
  const table = conformanceTable(results, nodeSuite.reasons);
  t.comment(table);
  writeToDocs('conformance', table);
  const { passed, failed } = totalOf(results);
  t.ok(passed / (passed + failed.length) >= BAR, `${passed} of ${passed + failed.length} passed`);
  t.same(
    [...new Set(failed)].filter((name) => !(name in nodeSuite.reasons)),
    [],
    'every failure has its reason in test/conformance/reasons.json',
  );
});
