import t from 'tap';
import {
  conformanceTable,
  proxySuite,
  runUnits,
  suiteScript,
  totalOf,
  unitsAskedFor,
  writeToDocs,
} from '../support/redis-tcl.ts';

/*
 * Redis's own test suite in its form for clusters (external server, one database, keys of one command on one shard) through a proxy: in front of
 * three nodes, and of one. What redis-server 7.0.15 passes in that form counts, less what cannot be asked of a proxy
 * (`excluded` in test/conformance/redis-tcl-proxy-7.0.15.json). With RINGSIDE_WRITE_DOCS=1 the tables in docs/compatibility.md are written anew.
 */

const BAR = 0.9;
const script = suiteScript();
const skip = script === null && 'skipped: the suite is not there (RINGSIDE_SHARED, default ../shared)';

for (const nodes of [3, 1]) {
  const name = `Redis's own suite through a proxy in front of ${nodes === 1 ? 'one node' : 'three nodes'}`;
  t.test(name, { skip, timeout: 3_600_000 }, async (t) => {
    const suite = proxySuite(nodes);
    const results = await runUnits(script!, suite, unitsAskedFor(suite));
    const table = conformanceTable(results, suite.reasons);
    t.comment(table);
    writeToDocs(`conformance-proxy-${nodes}`, table);
    const { passed, failed } = totalOf(results);
    t.ok(passed / (passed + failed.length) >= BAR, `${passed} of ${passed + failed.length} passed`);
    t.same(
      [...new Set(failed)].filter((name) => !(name in suite.reasons)),
      [],
      'every failure has its reason in test/conformance/proxy-reasons.json',
    );
  });
}
