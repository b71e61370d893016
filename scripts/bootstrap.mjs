// node scripts/bootstrap.mjs SCRIPT [ARGS…]
//
// The first script a fresh machine runs: plain JavaScript without dependencies, and it must run on Node 20. It installs
// what package-lock.json says when that is missing or stale, then runs SCRIPT on the repo's own Node 24.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { followNpm } from './follow-npm.mjs';
import { withInstallLock } from './install-lock.mjs';

const OLDEST_NODE = [22, 19];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ownNode = join(root, 'node_modules', 'node', 'bin', 'node');

function say(text) {
  process.stderr.write(`ringside: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * The packages of package-lock.json that node_modules does not hold. npm writes `node_modules/.package-lock.json` last, so an
 * installation that was cut off holds nothing. Packages for other platforms are optional and rightly absent.
 */
function missingPackages() {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  if (wanted === null)
    fail(
      `package-lock.json in ${root} is missing or damaged; restore it with \`git checkout package-lock.json\``,
    );
  const held = packagesOf(join(root, 'node_modules', '.package-lock.json')) ?? {};
  return Object.keys(wanted).filter((name) => {
    if (name === '') return false;
    if (held[name] === undefined) return wanted[name].optional !== true;
    return held[name].version !== wanted[name].version || held[name].integrity !== wanted[name].integrity;
  });
}

/** npm itself: the one that runs this script, else the PATH's. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running?.endsWith('npm-cli.js') ? [process.execPath, running] : ['npm'];
}

/** Prints a line every few seconds: npm shows nothing at all while it works without a terminal. */
function reportProgress(names) {
  const started = Date.now();
  const timer = setInterval(() => {
    const present = names.filter((name) => existsSync(join(root, name, 'package.json'))).length;
    say(`installing: ${present} of ${names.length} packages, ${Math.round((Date.now() - started) / 1000)} s`);
  }, 3000);
  return () => {
    clearInterval(timer);
    return ((Date.now() - started) / 1000).toFixed(1);
  };
}

/** Runs `npm ci`; resolves with its exit code, or with the text of what kept it from starting. */
function npmCi() {
  const [command, ...args] = npmCommand();
  const child = spawn(
    command,
    [...args, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' },
  );
  const pass = (signal) => child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.code === 'ENOENT' ? 'npm is not installed' : error.message));
    child.on('close', (code, signal) => {
      for (const name of SIGNALS) process.off(name, pass);
      if (SIGNALS.includes(signal)) fail(`stopped by ${signal} while installing`);
      resolve(signal ? `npm ended by ${signal}` : code);
    });
  });
}

async function install() {
  const names = missingPackages();
  if (names.length === 0) return;
  say(`installing ${names.length} packages from package-lock.json (npm ci)`);
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const finish = reportProgress(
    Object.keys(wanted).filter((name) => name !== '' && wanted[name].optional !== true),
  );
  const outcome = await npmCi();
  const seconds = finish();
  if (outcome !== 0) {
    const what = typeof outcome === 'string' ? outcome : `npm ci ended with code ${outcome}`;
    fail(
      `the dependencies could not be installed: ${what}; its own message is above. Check the network and \`npm config get registry\`, then run the same command again.`,
    );
  }
  say(`installed in ${seconds} s`);
}

function atLeastOldest(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
}

/** Hands over in this very process: no second process that would have to pass on signals and its end. */
async function runHere(script, args) {
  // Node 22 and later.
  module.enableCompileCache?.();
  process.argv = [process.argv[0], script, ...args];
  await import(pathToFileURL(script).href);
}

/** Runs the script on the repo's Node and ends as it ends. `follow-parent.mjs` ends the child when this process is killed. */
function runOnOwnNode(script, args) {
  const follow = pathToFileURL(join(root, 'scripts', 'follow-parent.mjs')).href;
  const child = spawn(ownNode, ['--import', follow, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, RINGSIDE_BOOTSTRAP_PID: String(process.pid) },
  });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) =>
    fail(
      `${ownNode} does not run here (${error.code ?? error.message}); remove node_modules and run the same command again.`,
    ),
  );
  child.on('close', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of SIGNALS) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

async function main() {
  followNpm();
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'ringside');
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined) fail('usage: node scripts/bootstrap.mjs SCRIPT [ARGS…]');
  const script = isAbsolute(name) ? name : join(root, name);
  if (missingPackages().length > 0) {
    await withInstallLock(join(root, '.ringside', 'install.lock'), say, install);
  }
  if (existsSync(ownNode) && !process.version.startsWith('v24.')) runOnOwnNode(script, args);
  else if (atLeastOldest(process.version)) await runHere(script, args);
  else {
    fail(
      `needs Node >= ${OLDEST_NODE.join('.')} and this is ${process.version}: the repo's own Node 24 is missing because npm was told to skip install scripts; run \`npm rebuild node --ignore-scripts=false\` in ${root}.`,
    );
  }
}

await main();
