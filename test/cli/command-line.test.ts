import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { FleetStatus, KeyRoute, NodeStatus } from '../../cli/ctl/client.ts';
import { renderRing, renderRoute, renderStatus } from '../../cli/ctl/render.ts';
import { formatLogLine } from '../../cli/dev/log-line.ts';
import { failureOf, sentenceOf, UsageError } from '../../cli/errors.ts';
import { parseReadyLine, readyLine } from '../../cli/ready-line.ts';
import { formatTable } from '../../cli/table.ts';
import { RingsideError } from '../../lib/base/index.ts';
import { RespClient } from '../support/resp-client.ts';
import { runRingside, startRingside } from '../support/ringside.ts';

t.test('exit codes and errors', async (t) => {
  const cases: [args: string[], code: number, message: RegExp][] = [
    [[], 2, /^ringside: which command\? --help lists them\.\n$/],
    [['nodes'], 2, /^ringside: unknown command 'nodes' \(Did you mean node\?\)\.\n$/],
    [
      ['proxy', '--rep-port', '1'],
      2,
      /^ringside: unknown option '--rep-port' \(Did you mean --resp-port\?\)\.\n$/,
    ],
    [['proxy'], 2, /^ringside: `proxy\.controlPlane` or `proxy\.upstreams` is missing/],
    [['proxy', '--upstream', 'a'], 2, /^ringside: --upstream a: write it as name=host:port/],
    [
      ['proxy', '--upstream', 'a=nowhere'],
      2,
      /^ringside: --upstream: `proxy\.upstreams\.0\.leader` must be `host:port`/,
    ],
    [['dev', '--shards', '0'], 2, / argument '0' is invalid: it is a whole number from 1 to 100\.\n$/],
    [['proxy', '--engine', 'x'], 2, / argument 'x' is invalid: allowed choices are ringside, redis\.\n$/],
    [['node', 'x'], 2, /: too many arguments for 'node': expected 0 arguments but got 1\.\n$/],
    [['proxy', '--resp-port', 'x'], 2, /^ringside: --resp-port: `proxy\.respPort` must be a port/],
    [['proxy', '--set', 'proxy.prot=1'], 2, /--set proxy\.prot: unknown key `proxy\.prot`; did you mean/],
    [['node', '--standalone', '--appendonly', 'yes'], 2, /`node\.appendOnly` needs `node\.dir`/],
    [
      ['node', '--standalone', '--enable-debug-command', 'perhaps'],
      2,
      /--enable-debug-command: `node\.enableDebugCommand` must be one of `no`, `local`, `yes`/,
    ],
    [
      ['ctl', 'status', '--cacert', '/none/ca.crt', '--cert', 'c', '--key', 'k'],
      1,
      /^ringside: --cacert \/none\/ca\.crt cannot be used: ENOENT/,
    ],
    [['node', '--standalone', '--save', '900'], 2, /--save: `node\.save` must be `seconds changes`/],
    [['node', '--standalone', '--appendfsync', 'often'], 2, /--appendfsync: `node\.appendFsync` must be/],
    [
      ['node', '--standalone', '--maxmemory-policy', 'newest'],
      2,
      /--maxmemory-policy: `node\.maxMemoryPolicy` must be one of/,
    ],
    [
      ['node', '--standalone', '--maxmemory', 'much'],
      2,
      /--maxmemory: `node\.maxMemoryBytes` must be a size/,
    ],
    [['control-plane', '--state', 'etcd'], 2, /--state etcd comes in a later release/],
    [['ctl', 'purge', 'key'], 2, /ctl purge comes in a later release/],
    [
      ['ctl', 'status', '--control-plane', 'http://127.0.0.1:1'],
      1,
      /no answer from the control plane at http:\/\/127\.0\.0\.1:1: nothing listens there\.\n$/,
    ],
    [['dev', '--followers', 'two'], 2, /: it is a whole number from 0 to 15\.\n$/],
    [['dev', '--shards', '60', '--followers', '1'], 2, /are 120 nodes; dev runs 100 at most/],
    [['bench', '--target', 'ftp://x'], 2, /ftp:\/\/x is no target/],
    [['bench', '--trace', 'x'], 2, /--trace FILE and --format .* belong together/],
    [['validate', '/does/not/exist.yaml'], 1, /^ringside: \/does\/not\/exist\.yaml does not exist\.\n$/],
  ];
  // Each one is a process; a few at a time.
  const run = async ([args, code, message]: (typeof cases)[number]) => {
    const done = await runRingside(args);
    t.equal(done.code, code, args.join(' '));
    t.match(done.stderr, message);
    t.equal(done.stderr.split('\n').length, 2, 'one sentence');
    t.equal(done.stdout, '');
  };
  while (cases.length > 0) await Promise.all(cases.splice(0, 4).map(run));

  const json = await runRingside(['ctl', 'status', '--json', '--control-plane', 'http://127.0.0.1:1']);
  t.equal(json.code, 1);
  t.equal(json.stderr, '');
  t.match(JSON.parse(json.stdout), { error: { code: 'unavailable', message: /nothing listens there$/ } });
  const help = await runRingside(['dev', '--help']);
  t.equal(help.code, 0);
  for (const option of ['--port-offset', '--restart', '--config', '--set', '--log-level'])
    t.match(help.stdout, option);
  // `node` has the longest options: what is left beside them is narrow.
  const node = await runRingside(['node', '--help']);
  for (const line of `${help.stdout}${node.stdout}`.split('\n')) t.ok(line.length <= 80, line);
});

t.test('validate', async (t) => {
  const dir = t.testdir({
    'good.yaml': 'proxy:\n  respPort: 7379\n',
    'users.yaml':
      'proxy:\n  users:\n    - name: a\n      rules: on >x ~a:* +@read\n    - name: b\n      rules: on +get +nosuch\n' +
      '    - name: c\n      rules: on hush\n',
    'bad.yaml': 'proxy:\n  prot: 1\nnode:\n  port: -1\n',
  });
  const good = await runRingside(['validate', join(dir, 'good.yaml')]);
  t.same(good, { code: 0, stdout: 'OK\n', stderr: '' });
  const bad = await runRingside(['validate', 'bad.yaml'], { cwd: dir });
  t.equal(bad.code, 1);
  t.match(
    bad.stderr,
    /^bad\.yaml: line 2: unknown key `proxy\.prot`.*\nbad\.yaml: line 4: `node\.port` .*\n$/,
  );
  const json = await runRingside(['validate', 'bad.yaml', '--json'], { cwd: dir });
  t.equal(json.code, 1);
  t.match(JSON.parse(json.stdout), {
    error: {
      code: 'config_invalid',
      errors: [
        { line: 2, path: 'proxy.prot' },
        { line: 4, path: 'node.port' },
      ],
    },
  });
  const users = await runRingside(['validate', 'users.yaml'], { cwd: dir });
  t.equal(users.code, 1);
  t.equal(
    users.stderr,
    "users.yaml: line 6: `proxy.users.1.rules`: Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL\n" +
      'users.yaml: line 8: `proxy.users.2.rules`: Error in ACL SETUSER modifier (not shown, it may be a password): Syntax error\n',
  );
  t.match(JSON.parse((await runRingside(['validate', '--schema'])).stdout), {
    title: 'Ringside configuration',
  });
  const start = await runRingside(['node', '--standalone', '--config', join(dir, 'bad.yaml')]);
  t.equal(start.code, 1, 'a file that is wrong is no wrong usage');
  t.match(start.stderr, /bad\.yaml: line 2: .*\(and 1 more: `ringside validate` shows all of a file\)\.\n$/);
});

t.test('a role runs until it is told to end', async (t) => {
  const flags = [
    '--port',
    'auto',
    '--admin-port',
    'off',
    '--maxmemory',
    '64mb',
    '--appendonly',
    'no',
    '--save',
    '',
  ];
  const node = await startRingside([
    'node',
    '--standalone',
    ...flags,
    '--requirepass',
    '1234',
    '--log-level',
    'warn',
  ]);
  t.same(Object.keys(node.ready), ['resp']);
  const client = new RespClient(node.ready.resp);
  t.match(await client.send('AUTH', '1234'), 'OK', 'a password of digits is text');
  t.equal(await client.send('SET', 'a', '1'), 'OK');

  const upstream = `a=${node.ready.resp}`;
  const off = ['memcached', 'http', 'grpc', 'admin'].flatMap((name) => [`--${name}-port`, 'off']);
  const proxy = await startRingside([
    'proxy',
    '--upstream',
    upstream,
    '--resp-port',
    'auto',
    ...off,
    '--set',
    'proxy.nodePassword="1234"',
  ]);
  t.same(Object.keys(proxy.ready), ['resp'], 'off turns a listener off');
  const through = new RespClient(proxy.ready.resp);
  t.equal(String(await through.send('GET', 'a')), '1');

  const taken = await runRingside([
    'node',
    '--standalone',
    '--admin-port',
    'off',
    '--port',
    node.ready.resp.split(':')[1],
  ]);
  t.equal(taken.code, 1);
  t.match(taken.stderr, /^ringside: port \d+ on 127\.0\.0\.1 is taken \(setting node\.port\)\.\n$/);

  through.socket.destroy();
  client.socket.destroy();
  t.equal(await proxy.stop(), 'code 0');
  node.kill('SIGINT');
  t.equal(await node.ended, 'code 0');
});

t.test('texts', async (t) => {
  const line = readyLine({ resp: '127.0.0.1:1', http: '[::1]:2' });
  t.equal(line, 'ready resp=127.0.0.1:1 http=[::1]:2\n');
  t.same(parseReadyLine(line.trim()), { resp: '127.0.0.1:1', http: '[::1]:2' });
  t.same(parseReadyLine('ready'), {});
  t.equal(parseReadyLine('readying'), null);
  t.equal(readyLine({ resp: 'a:1' }, true), '{"ready":{"resp":"a:1"}}\n');

  t.equal(formatLogLine('not json'), 'not json');
  const log = {
    level: 'warn',
    time: 'x',
    pid: 1,
    role: 'node',
    msg: 'refused',
    peer: 'a b',
    err: { message: 'no' },
  };
  t.equal(formatLogLine(JSON.stringify(log)), 'warn refused peer="a b" err="no"');

  t.same(failureOf(new UsageError('so not')), { code: 'usage', message: 'so not', exitCode: 2 });
  t.match(failureOf(new RingsideError('port_in_use', 'port 1 is taken.')), {
    code: 'port_in_use',
    message: 'port 1 is taken',
    exitCode: 1,
  });
  t.match(failureOf(new TypeError('x is not a function')), {
    code: 'internal',
    message: /a defect of Ringside/,
  });
  t.equal(sentenceOf({ code: 'usage', message: 'what?', exitCode: 2 }), 'ringside: what?\n');
  const refused = await new Promise((resolve) => net.connect(1, '127.0.0.1').on('error', resolve));
  t.match(failureOf(refused), { code: 'unavailable', message: 'nothing listens on 127.0.0.1:1' });

  const table = formatTable(
    [{ title: 'NAME' }, { title: 'N', right: true }],
    [['a-rather-long-name', '5']],
    14,
  );
  t.match(table, /^NAME +N\na-r[a-z-]*…[a-z-]*ame +5\n$/);
  t.ok(table.split('\n').every((text) => text.length <= 14));
});

t.test('what ctl shows fits 80 columns', async (t) => {
  const node = (id: string, port: number): NodeStatus => ({
    id,
    pid: 123456,
    address: `127.0.0.1:${port}`,
    admin: `127.0.0.1:${port + 100}`,
    state: 'serving',
    offset: '18446744073709551615',
    lagBytes: '1048576',
    lagMs: 12,
  });
  const shard = (i: number) => ({
    name: `shard-${i}`,
    weight: 1,
    epoch: '12',
    leader: i === 3 ? null : node(`shard-${i}-0`, 7500 + i),
    followers: [node(`shard-${i}-1`, 7510 + i)],
  });
  const status: FleetStatus = {
    ring: { incarnation: '1', epoch: '42', sha256: 'ab'.repeat(32) },
    shards: [1, 2, 3].map(shard),
    proxies: [
      {
        id: 'proxy-0',
        pid: 99,
        admin: '127.0.0.1:7390',
        resp: '127.0.0.1:7379',
        ackedEpoch: '42',
        state: 'serving',
      },
    ],
    controlPlane: [{ id: 'control-plane', pid: 98, address: '127.0.0.1:7400', leader: true }],
  };
  const text = renderStatus(status, 80);
  for (const line of text.split('\n')) t.ok(line.length <= 80, line);
  for (const word of ['ring 1.42', 'shard-1-0', 'shard-3-1', 'none', 'proxy-0', 'control-plane'])
    t.match(text, word);
  t.match(renderStatus({ ...status, ring: null, shards: [], proxies: [] }), 'no ring yet');
  const unknownLag = { ...node('shard-1-1', 7511), pid: null, lagBytes: null, lagMs: null };
  t.notMatch(renderStatus({ ...status, shards: [{ ...shard(1), followers: [unknownLag] }] }), 'null');

  const route: KeyRoute = {
    key: 'a b',
    hash: '00ff00ff00ff00ff',
    shard: 'shard-1',
    leader: node('shard-1-0', 7501),
    followers: [],
    epoch: '12',
    l1: {},
  };
  t.match(renderRoute(route), /key "a b", hash 00ff00ff00ff00ff: shard-1 at epoch 12\n/);
  t.match(renderRoute(route), /leader +shard-1-0/);
  const shards = [{ name: 's', weight: 2, epoch: '3', leader: null, followers: ['n2', 'n3'] }];
  t.match(
    renderRing({ incarnation: '1', epoch: '2', sha256: 'x', virtualNodes: 256, shards }),
    /s +2 +3 +- +n2 n3/,
  );
});
