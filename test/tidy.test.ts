import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Breach, checkedFolders, checkFile, checkMetrics, metricsOf } from './support/tidy.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = new Set(Object.keys(JSON.parse(readFileSync(`${root}package.json`, 'utf8')).dependencies));

const show = (breaches: readonly Breach[]) =>
  breaches.map(({ file, line, rule, message }) => `${file}:${line} ${rule}: ${message}`);

t.test('the code keeps the house rules', async (t) => {
  const files = checkedFolders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root })).sort();
  t.ok(files.length > 20, `${files.length} files`);
  const sources = files.map(
    (file) => [file.replaceAll('\\', '/'), readFileSync(root + file, 'utf8')] as const,
  );
  t.same(show(sources.flatMap(([file, text]) => checkFile(file, text, packages))), []);
  t.same(show(checkMetrics(sources.flatMap(([file, text]) => metricsOf(file, text)))), []);
});

/** The rules that a small file breaks, with the lines. */
function rulesBroken(file: string, text: string): string[] {
  return checkFile(file, text, new Set(['yaml', '@grpc/grpc-js'])).map(({ rule, line }) => `${rule} ${line}`);
}

t.test('the checker lets through what the import table allows', async (t) => {
  const allowed: [string, string][] = [
    ['cli/main.ts', "import { startNode } from '../node/index.ts';"],
    ['cli/commands/node.ts', "const node = await import('../../node/index.ts');"],
    ['cli/main.ts', "import type { Config } from '../lib/config/index.ts';"],
    ['proxy/core/router.ts', "import { Ring } from '../../lib/ring/index.ts'; import { a } from './a.ts';"],
    ['proxy/http/server.ts', "import type { Api } from '../core/api.ts';"],
    ['node/grpc.ts', "const net = await import('../lib/net/grpc/index.ts');"],
    [
      'lib/net/server.ts',
      "import { createMetrics } from '../metrics/index.ts'; import { a } from '../base/index.ts';",
    ],
    ['lib/ring/ring.ts', "export { RingsideError } from '../base/index.ts'; import 'node:crypto';"],
    ['lib/config/source.ts', "import { parse } from 'yaml'; import '@grpc/grpc-js/build/x.js';"],
    ['cli/version.ts', "import manifest from '../package.json' with { type: 'json' };"],
  ];
  for (const [file, text] of allowed) t.same(rulesBroken(file, text), [], `${file}: ${text}`);
});

t.test('the checker finds every way to import what the table forbids', async (t) => {
  const forbidden: [string, string][] = [
    ['proxy/a.ts', "import { startNode } from '../node/index.ts';"],
    ['node/a.ts', "import type { Proxy } from '../proxy/index.ts';"],
    ['control-plane/a.ts', "type P = import('../proxy/index.ts').Proxy;"],
    ['node/a.ts', "const cli = await import('../cli/main.ts');"],
    ['lib/base/a.ts', "export * from '../ring/index.ts';"],
    ['lib/ring/a.ts', "export { createMetrics } from '../metrics/index.ts';"],
    ['lib/metrics/a.ts', "import { createServer } from '../net/index.ts';"],
    ['lib/net/a.ts', "import { parseConfig } from '../config/index.ts';"],
    ['lib/net/a.ts', "import type { Node } from '../../node/index.ts';"],
    ['lib/codec/resp/a.ts', "import { paths } from '../proto/index.ts';"],
    ['proxy/a.ts', "import { Ring } from '../lib/ring/ring.ts';"],
    ['cli/a.ts', "import { Router } from '../proxy/core/index.ts';"],
    ['cli/a.ts', "import { until } from '../test/support/until.ts';"],
    ['lib/ring/a.ts', "import fc from 'fast-check';"],
    ['lib/ring/a.ts', "const fc = require('fast-check');"],
    ['lib/ring/a.ts', 'const any = await import(name);'],
    ['lib/unheard-of/a.ts', 'export const a = 1;'],
  ];
  for (const [file, text] of forbidden) t.same(rulesBroken(file, text), ['import 1'], `${file}: ${text}`);
});

t.test('the checker finds clocks, dice, console, enums and notes', async (t) => {
  const rule = (text: string, file = 'node/a.ts') => rulesBroken(file, text);
  for (const text of [
    'const now = Date.now();',
    'const read = Date.now;',
    'const now = Date\n  .now();',
    'const x = Math.random();',
    'const x = globalThis.performance.now();',
    'const x = performance.now();',
    'const x = process.hrtime();',
    'const x = process.hrtime.bigint();',
    'const x = new Date();',
    'const x = new Date;',
    'const x = Date();',
    "import { performance as p } from 'node:perf_hooks';",
  ]) {
    t.ok(rule(text).includes('clock 1'), text);
    t.notOk(rule(text, 'lib/base/clock.ts').includes('clock 1'), `${text} in lib/base`);
  }
  t.same(rule('const x = new Date(ms).toISOString(); const y = clock.now(); // Date.now() in words'), []);
  t.same(rule("\nconsole.error('x');"), ['console 2']);
  t.same(rule('enum Color { Red }'), ['syntax 1']);
  t.same(rule('const enum Color { Red }'), ['syntax 1']);
  t.same(rule('const a = 1;\n// TODO: more\n/* FIXME */'), ['note 2', 'note 3']);
});

t.test('the checker measures files and functions', async (t) => {
  const statements = (count: number) => 'a();\n'.repeat(count);
  t.same(rulesBroken('node/a.ts', statements(700)), []);
  t.same(rulesBroken('node/a.ts', statements(701)), ['size 1']);
  t.same(rulesBroken('node/a.ts', `function f() {\n${statements(118)}}`), []);
  for (const head of [
    'function f() {',
    'const f = () => {',
    'class A { f() {',
    'class A { constructor() {',
    'const o = { get f() {',
  ]) {
    const text = `\n${head}\n${statements(119)}}${head.includes('class') || head.includes('{ get') ? '}' : ''}`;
    t.same(rulesBroken('node/a.ts', text), ['size 2'], head);
  }
});

t.test('the checker finds names of metrics that are there twice or in parts', async (t) => {
  const problems = (...files: [string, string][]) =>
    show(checkMetrics(files.flatMap(([file, text]) => metricsOf(file, text))));
  const call = "m.counter({ help: 'x', name: 'ringside_node_a_total' });\n";
  const table = "const table = [\n['reads', 'ringside_node_b'],\n['x', 'ringside_node_a_total']];";
  t.same(
    problems(
      ['node/a.ts', call],
      ['node/b.ts', "m.gauge({ name: 'ringside_node_b' }); f('ringside_version');"],
    ),
    [],
  );
  t.same(problems(['node/a.ts', call], ['proxy/b.ts', table]), [
    'proxy/b.ts:3 metric: ringside_node_a_total is in node/a.ts:1 already',
  ]);
  t.same(problems(['node/a.ts', call + call]), [
    'node/a.ts:2 metric: ringside_node_a_total is in node/a.ts:1 already',
  ]);
  for (const name of [
    "'ringside_' + x",
    "'ringside_node_' + x",
    '`ringside_node_$' + '{x}_total`',
    '`ringside_$' + '{x}`',
  ]) {
    t.same(problems(['node/a.ts', `m.counter({ name: ${name} });`]), [
      'node/a.ts:1 metric: write the name of a metric out in one piece',
    ]);
  }
});
