import { posix } from 'node:path';
import ts from 'typescript';

/** One breach of the house rules. */
export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly rule: 'import' | 'clock' | 'console' | 'syntax' | 'note' | 'metric' | 'size';
  readonly message: string;
}

export const MAX_FILE_LINES = 700;
export const MAX_FUNCTION_LINES = 120;

/** Folders whose code is held to the rules. */
export const checkedFolders = ['lib', 'node', 'proxy', 'control-plane', 'cli'] as const;

const roles = ['proxy', 'node', 'control-plane'];
const libOverBase = ['membership', 'ring', 'codec', 'config', 'metrics', 'store', 'commands', 'acl'];

/** The import table of the brief: what the code of a layer may import beside its own unit. */
const importTable: Record<string, (target: string) => boolean> = {
  cli: (target) => roles.includes(target) || target.startsWith('lib/'),
  ...Object.fromEntries(roles.map((role) => [role, (target: string) => target.startsWith('lib/')])),
  'lib/net': (target) => target === 'lib/base' || target === 'lib/metrics',
  ...Object.fromEntries(
    libOverBase.map((name) => [`lib/${name}`, (target: string) => target === 'lib/base']),
  ),
  'lib/base': () => false,
};

/** The row of the table that a file belongs to: `proxy`, `lib/ring`, …; null outside the checked folders. */
function layerOf(file: string): string | null {
  const [top, second] = file.split('/');
  if (top === 'lib') return `lib/${second}`;
  return (checkedFolders as readonly string[]).includes(top) ? top : null;
}

/** The folder with one public entry: the layer, and below `lib/codec` each codec. */
function unitOf(file: string): string | null {
  const layer = layerOf(file);
  return layer === 'lib/codec' ? file.split('/').slice(0, 3).join('/') : layer;
}

/**
 * Everything in one file that the rules do not allow. `file` is its path from the root of the repository, with slashes;
 * `packages` are those that production code may import.
 */
export function checkFile(file: string, text: string, packages: ReadonlySet<string>): Breach[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const breaches: Breach[] = [];
  const report = (position: number, rule: Breach['rule'], message: string) => {
    const line = source.getLineAndCharacterOfPosition(position).line + 1;
    breaches.push({ file, line, rule, message });
  };
  if (!layerOf(file) || !importTable[layerOf(file) as string])
    report(0, 'import', 'this folder is not in the import table');
  const lines = source.getLineStarts().length - (text.endsWith('\n') ? 1 : 0);
  if (lines > MAX_FILE_LINES) report(0, 'size', `${lines} lines, at most ${MAX_FILE_LINES}`);
  for (const note of text.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b/g))
    report(note.index, 'note', `${note[0]} in the code`);

  const visit = (node: ts.Node): void => {
    for (const specifier of specifiersOf(node)) {
      const problem = importProblem(file, specifier, packages);
      if (problem) report(node.getStart(), 'import', problem);
    }
    const banned = bannedUse(node);
    if (banned && !(banned.rule === 'clock' && layerOf(file) === 'lib/base')) {
      report(node.getStart(), banned.rule, banned.message);
    }
    const length = functionLength(node, source);
    if (length > MAX_FUNCTION_LINES)
      report(node.getStart(), 'size', `a function of ${length} lines, at most ${MAX_FUNCTION_LINES}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return breaches;
}

/** What a node imports, in whichever way: import, export from, `import()`, `import()` as a type, `require()`. */
function specifiersOf(node: ts.Node): (string | null)[] {
  const literal = (expression: ts.Node | undefined) =>
    expression && ts.isStringLiteralLike(expression) ? expression.text : null;
  if (ts.isImportDeclaration(node)) return [literal(node.moduleSpecifier)];
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) return [literal(node.moduleSpecifier)];
  if (ts.isImportTypeNode(node))
    return [ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal) : null];
  if (ts.isExternalModuleReference(node)) return [literal(node.expression)];
  if (!ts.isCallExpression(node)) return [];
  const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
  return isImport || isRequire ? [literal(node.arguments[0])] : [];
}

function importProblem(file: string, specifier: string | null, packages: ReadonlySet<string>): string | null {
  if (specifier === null) return 'an import whose target is not a plain text cannot be checked';
  if (specifier.startsWith('node:')) return null;
  if (!specifier.startsWith('.')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    return packages.has(name) ? null : `package ${name} is not a dependency of production code`;
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (target === 'package.json') return null;
  const [from, to] = [unitOf(file), unitOf(target)];
  if (to === null) return `${target} is not production code`;
  if (from === to) return null;
  const layer = layerOf(target) as string;
  if (!importTable[layerOf(file) as string]?.(layer)) return `${layerOf(file)} may not import ${layer}`;
  const isEntry = roles.includes(layer)
    ? target === `${layer}/index.ts`
    : posix.basename(target) === 'index.ts';
  return isEntry ? null : `${target} is not a public entry: import an index.ts`;
}

const clockCalls = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'process.hrtime.bigint',
]);

function bannedUse(node: ts.Node): { rule: Breach['rule']; message: string } | null {
  if (ts.isEnumDeclaration(node)) return { rule: 'syntax', message: 'an enum: use a union of texts' };
  if (ts.isPropertyAccessExpression(node)) {
    const name = node
      .getText()
      .replace(/\s|\?/g, '')
      .replace(/^globalThis\./, '');
    if (clockCalls.has(name))
      return { rule: 'clock', message: `${name} belongs in lib/base: take a Clock or a Random` };
    if (name.startsWith('console.'))
      return { rule: 'console', message: `${name}: log to a Logger, answer on process.stdout` };
  }
  const isDate =
    (ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === 'Date';
  if (isDate && (ts.isCallExpression(node) || !node.arguments?.length)) {
    return { rule: 'clock', message: 'Date without an argument reads the clock: take a Clock' };
  }
  if (ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text === 'performance') {
    return { rule: 'clock', message: 'performance belongs in lib/base: take a Clock' };
  }
  return null;
}

/** Lines from the first to the last of a function; 0 for anything else. */
function functionLength(node: ts.Node, source: ts.SourceFile): number {
  if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return 0;
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  return lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
}

/** A metric's name as it stands in the code; null when it is put together of parts. */
interface MetricName {
  readonly file: string;
  readonly line: number;
  readonly name: string | null;
}

/** `ringside_<role>_<what>`, which lib/metrics demands of every metric, and nothing else in the code looks like. */
const METRIC_NAME = /^ringside_[a-z]+_[a-z0-9_]*[a-z0-9]$/;
const METRIC_NAME_PART = /^ringside_(?:[a-z0-9_]*_)?$/;

/** The names of metrics in a file, wherever they stand: in the call that adds them, or in a table of many. */
export function metricsOf(file: string, text: string): MetricName[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const names: MetricName[] = [];
  const visit = (node: ts.Node): void => {
    const line = () => source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    if (ts.isStringLiteralLike(node) && METRIC_NAME.test(node.text))
      names.push({ file, line: line(), name: node.text });
    const isPart =
      (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) && METRIC_NAME_PART.test(node.text);
    if (isPart) names.push({ file, line: line(), name: null });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

/** Names that stand in the code twice, or that cannot be found by searching for them. */
export function checkMetrics(uses: readonly MetricName[]): Breach[] {
  const first = new Map<string, MetricName>();
  return uses.flatMap((use): Breach[] => {
    const breach = (message: string): Breach[] => [
      { file: use.file, line: use.line, rule: 'metric', message },
    ];
    if (use.name === null) return breach('write the name of a metric out in one piece');
    const earlier = first.get(use.name);
    if (earlier) return breach(`${use.name} is in ${earlier.file}:${earlier.line} already`);
    first.set(use.name, use);
    return [];
  });
}
