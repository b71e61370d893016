import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import t from 'tap';
import { until } from '../support/until.ts';

type Test = Pick<typeof t, 'testdir'>;

const repository = resolve(import.meta.dirname, '../..');

/** An old Node as fresh machines have it, to see the hand-over to a new one; undefined when there is none here. */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find(
    (file) => existsSync(file) && /^v20\./.test(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout),
  );

const lock = (version: string) => ({
  packages: {
    '': {},
    'node_modules/thing': { version, integrity: `sha512-${version}` },
    'node_modules/other-os': { version, optional: true },
  },
});

/** Stands in for npm: leaves what `npm ci` would. It waits for the file `NPM_RELEASE`, and fails with code `NPM_EXIT`. */
const fakeNpm = `
const { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
appendFileSync('npm-runs', process.argv.slice(2).join(' ') + '\\n');
const { NPM_RELEASE, NPM_EXIT, NPM_WITHOUT_NODE } = process.env;
const finish = () => {
  if (NPM_RELEASE && !existsSync(NPM_RELEASE)) return setTimeout(finish, 10);
  console.log('npm itself speaks');
  if (NPM_EXIT) process.exit(Number(NPM_EXIT));
  rmSync('node_modules', { recursive: true, force: true });
  mkdirSync('node_modules/thing', { recursive: true });
  if (!NPM_WITHOUT_NODE) {
    mkdirSync('node_modules/node/bin', { recursive: true });
    symlinkSync(${JSON.stringify(process.execPath)}, 'node_modules/node/bin/node');
  }
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  delete packages['node_modules/other-os'];
  writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));
};
finish();
`;

/** A clone that holds only what the bootstrap needs. */
function makeClone(t: Test): string {
  const root = t.testdir({
    'package.json': '{}',
    'package-lock.json': JSON.stringify(lock('1.0.0')),
    'npm-cli.js': fakeNpm,
    'hello.mjs': `console.log(['hello', process.version, ...process.argv.slice(2)].join(' ')); process.exitCode = Number(process.argv[2]) || 0;`,
    'wait.mjs': `process.on('SIGTERM', () => process.exit(7)); console.log('pid ' + process.pid); setInterval(() => {}, 1000);`,
  });
  cpSync(join(repository, 'scripts'), join(root, 'scripts'), { recursive: true });
  return root;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  stdout: string;
  stderr: string;
}

function bootstrap(root: string, args: string[], env: NodeJS.ProcessEnv = {}, node = process.execPath): Run {
  const child = spawn(node, [join(root, 'scripts/bootstrap.mjs'), ...args], {
    env: { ...process.env, NODE_OPTIONS: '', npm_execpath: join(root, 'npm-cli.js'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  const run: Run = { child, ended, stdout: '', stderr: '' };
  child.stdout!.on('data', (text) => {
    run.stdout += text;
  });
  child.stderr!.on('data', (text) => {
    run.stderr += text;
  });
  return run;
}

const npmRuns = (root: string) =>
  existsSync(join(root, 'npm-runs')) ? readFileSync(join(root, 'npm-runs'), 'utf8').trim().split('\n') : [];

t.test('installs what is missing, then runs the script with its arguments', async (t) => {
  const root = makeClone(t);
  const first = bootstrap(root, ['hello.mjs', '5', '--flag']);
  t.equal(await first.ended, 'code 5', 'the exit code is that of the script');
  t.equal(first.stdout, `hello ${process.version} 5 --flag\n`, 'stdout belongs to the script alone');
  t.match(
    first.stderr,
    /ringside: installing 1 packages from package-lock\.json \(npm ci\)\nnpm itself speaks\n/,
  );
  t.match(npmRuns(root)[0], /^ci --include=dev /);

  const second = bootstrap(root, ['hello.mjs']);
  t.equal(await second.ended, 'code 0');
  t.equal(second.stderr, '', 'nothing to install: nothing to say');
  t.equal(npmRuns(root).length, 1);

  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock('1.0.1')));
  await bootstrap(root, ['hello.mjs']).ended;
  t.equal(npmRuns(root).length, 2, 'another version in the lockfile is installed');
  rmSync(join(root, 'node_modules/.package-lock.json'));
  await bootstrap(root, ['hello.mjs']).ended;
  t.equal(npmRuns(root).length, 3, 'an installation that was cut off is done again');
});

t.test('says what to do when npm fails', async (t) => {
  const root = makeClone(t);
  const run = bootstrap(root, ['hello.mjs'], { NPM_EXIT: '3' });
  t.equal(await run.ended, 'code 1');
  t.equal(run.stdout, '');
  t.match(
    run.stderr,
    /npm itself speaks\nringside: the dependencies could not be installed: npm ci ended with code 3; .* run the same command again\.\n$/,
  );
  t.notOk(existsSync(join(root, '.ringside/install.lock')));
  const missing = bootstrap(root, ['hello.mjs'], { npm_execpath: '', PATH: dirname(root) });
  t.equal(await missing.ended, 'code 1');
  t.match(missing.stderr, 'npm is not installed');
});

t.test('two at once install once', async (t) => {
  const root = makeClone(t);
  const release = join(root, 'release');
  const one = bootstrap(root, ['hello.mjs'], { NPM_RELEASE: release });
  await until('the first installs', () => npmRuns(root).length === 1);
  const two = bootstrap(root, ['hello.mjs'], { NPM_RELEASE: release });
  await until('the second waits', () => two.stderr.includes('waiting for another process'));
  writeFileSync(release, '');
  t.same(await Promise.all([one.ended, two.ended]), ['code 0', 'code 0']);
  t.equal(npmRuns(root).length, 1);
});

t.test('the lock of a process that was killed is taken over', async (t) => {
  const root = makeClone(t);
  mkdirSync(join(root, '.ringside'));
  const file = join(root, '.ringside/install.lock');
  writeFileSync(file, '1 1\n');
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(file, longAgo, longAgo);
  const runs = [1, 2, 3].map(() => bootstrap(root, ['hello.mjs']));
  t.same(await Promise.all(runs.map(({ ended }) => ended)), ['code 0', 'code 0', 'code 0']);
  t.equal(npmRuns(root).length, 1);
});

t.test('stopping it while npm works stops npm', async (t) => {
  const root = makeClone(t);
  const run = bootstrap(root, ['hello.mjs'], { NPM_RELEASE: join(root, 'never') });
  await until('npm runs', () => npmRuns(root).length === 1);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 'code 1');
  t.match(run.stderr, 'stopped by SIGTERM while installing');
});

t.test('hands over from an old Node', { skip: oldNode ? false : 'no Node 20 on the PATH' }, async (t) => {
  await t.test('to the new one', async (t) => {
    const root = makeClone(t);
    const run = bootstrap(root, ['hello.mjs', '4'], {}, oldNode);
    t.equal(await run.ended, 'code 4');
    t.equal(run.stdout, `hello ${process.version} 4\n`);
  });

  await t.test('passes signals on', async (t) => {
    const run = bootstrap(makeClone(t), ['wait.mjs'], {}, oldNode);
    await until('the script runs', () => run.stdout.includes('pid '));
    run.child.kill('SIGTERM');
    t.equal(await run.ended, 'code 7', 'and ends as the script does');
  });

  await t.test('takes the script along when it is killed', async (t) => {
    const run = bootstrap(makeClone(t), ['wait.mjs'], {}, oldNode);
    const pid = Number((await until('the script runs', () => /pid (\d+)/.exec(run.stdout)))[1]);
    run.child.kill('SIGKILL');
    await until('the script has ended', () => !isAlive(pid));
  });

  await t.test('says what is missing when there is no new one', async (t) => {
    const root = makeClone(t);
    const run = bootstrap(root, ['hello.mjs'], { NPM_WITHOUT_NODE: '1' }, oldNode);
    t.equal(await run.ended, 'code 1');
    t.match(run.stderr, /needs Node >= 22\.19 and this is v20.*npm rebuild node --ignore-scripts=false/);
  });
});

t.test('bin/ringside', async (t) => {
  const executable = join(repository, 'bin/ringside');
  const version = `${JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).version}\n`;
  const run = (file: string, cwd: string, env: NodeJS.ProcessEnv = {}) =>
    spawnSync(file, ['--version'], {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    });

  await t.test('works from any folder and through links', async (t) => {
    const folder = t.testdir({ elsewhere: {}, linked: t.fixture('symlink', repository) });
    symlinkSync(executable, join(folder, 'one'));
    symlinkSync('../one', join(folder, 'elsewhere/two'));
    t.equal(run(executable, folder).stdout, version);
    t.equal(run(join(folder, 'elsewhere/two'), '/').stdout, version);
    t.equal(run('./elsewhere/two', folder).stdout, version);
    t.equal(run('linked/bin/ringside', folder).stdout, version);
    t.equal(run('two', '/', { PATH: `${join(folder, 'elsewhere')}:${process.env.PATH}` }).stdout, version);
  });

  await t.test('takes the Node of the PATH when the repo has none, if it is new enough', async (t) => {
    const fake = (node: string) => `#!/bin/sh\n[ "$1" = --version ] && echo ${node} || echo "ran $2"\n`;
    const cases = [
      ['v22.18.9', false],
      ['v22.19.0', true],
      ['v23.0.1', true],
      ['v20.20.2', false],
      ['v24.1.0', true],
    ] as const;
    const root = t.testdir({ bin: {}, cli: { 'main.ts': '' }, nodes: {} });
    cpSync(executable, join(root, 'bin/ringside'));
    for (const [node, isEnough] of cases) {
      const folder = join(root, 'nodes', node);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'node'), fake(node), { mode: 0o755 });
      const { stdout, stderr, status } = run(join(root, 'bin/ringside'), '/', {
        PATH: `${folder}:/usr/bin:/bin`,
      });
      t.equal(stdout, isEnough ? `ran ${join(root, 'cli/main.ts')}\n` : '', node);
      if (!isEnough) t.match(stderr, `needs Node >= 22.19 and the PATH has ${node}`);
      t.equal(status, isEnough ? 0 : 1);
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
