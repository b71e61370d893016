import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t from 'tap';
import { sizeInBytes } from '../../lib/base/index.ts';
import {
  type Config,
  configFrom,
  configSchema,
  configurationReference,
  type ParseOptions,
  parseConfig,
  splitAddress,
} from '../../lib/config/index.ts';
import { ownKeywords } from '../../lib/config/option.ts';
import type { Option } from '../../lib/config/schema.ts';
import { fc } from '../support/fast-check.ts';

/** The texts of all errors of a configuration that is expected to be wrong. */
function errorsOf(yaml: string, options: ParseOptions = {}): string[] {
  return (parseConfig(yaml, { file: 'r.yaml', ...options }).errors ?? []).map(({ text }) => text);
}

function parsed(yaml: string, options: ParseOptions = {}): Config {
  const { config, errors } = parseConfig(yaml, options);
  if (errors) throw new Error(errors.map(({ text }) => text).join('\n'));
  return config;
}

t.test('an empty configuration is all defaults', async (t) => {
  for (const yaml of ['', '# nothing\n', '{}', 'node:\nproxy:\n  limits:\n', '---\n']) {
    const config = parsed(yaml);
    t.equal(config.logLevel, 'info');
    t.equal(config.tls, null);
    t.match(config.node, { port: 7501, adminPort: 7601, maxMemoryBytes: 268435456, ack: 'leader', id: null });
    t.match(config.proxy, {
      respPort: 7379,
      memcachedPort: 7311,
      httpPort: 7380,
      grpcPort: 7381,
      adminPort: 7390,
    });
    t.match(config.proxy, { bind: '127.0.0.1', clientTls: 'inherit', upstreams: [] });
    t.match(config.controlPlane, {
      httpPort: 7400,
      grpcPort: 7401,
      leaseMs: 1000,
      formation: { shards: null },
    });
    t.same(config.namespaces, []);
  }
});

t.test('what is given counts, in every form', async (t) => {
  const config = parsed(`
logLevel: debug
tls: { ca: ca.pem, cert: c.pem, key: k.pem, allowedNames: ["spiffe://ringside/*", "a.example"] }
node:
  id: 12
  requirePass: 007
  maxMemoryBytes: 1gb
  limits: { maxBulkBytes: 4096, idleTimeoutMs: 0 }
proxy:
  memcachedPort: off
  httpPort: 0
  grpcPort: auto
  upstreams:
    - { name: a, leader: "127.0.0.1:1" }
    - name: b
      leader: "[::1]:2"
      followers: ["h:3"]
      weight: 2
  clientTls: { ca: x, cert: y, key: z }
namespaces:
  - { name: sessions, prefix: "s:", ack: replica }
`);
  t.equal(config.node.id, '12', 'text needs no quotes');
  t.equal(config.node.requirePass, '007', 'and is what was written');
  t.equal(config.node.maxMemoryBytes, 1024 ** 3);
  t.equal(config.node.limits.maxBulkBytes, 4096);
  t.equal(config.node.limits.maxConnections, 10_000, 'the rest of a group has its defaults');
  t.match(config.proxy, { memcachedPort: 'off', httpPort: 'off', grpcPort: 'auto' });
  const others = {
    ...{ gutter: false, engine: null, username: null, password: null, tls: 'inherit' },
    ...{ sentinels: [], masterName: null, sentinelUsername: null, sentinelPassword: null },
  };
  t.same(config.proxy.upstreams, [
    { name: 'a', leader: '127.0.0.1:1', followers: [], weight: 1, ...others },
    { name: 'b', leader: '[::1]:2', followers: ['h:3'], weight: 2, ...others },
  ]);
  t.same(config.proxy.clientTls, { ca: 'x', cert: 'y', key: 'z', allowedNames: [] });
  t.same(config.tls?.allowedNames, ['spiffe://ringside/*', 'a.example']);
  t.match(config.namespaces[0], {
    ack: 'replica',
    ackTimeoutMs: 1000,
    readFallback: 'follower',
  });
});

t.test('namespaces inherit ack from the node', async (t) => {
  const config = parsed(
    'node: {ack: replica, ackTimeoutMs: 70}\nnamespaces: [{name: a, prefix: a}, {name: b, prefix: b, ack: leader}]',
  );
  t.same(
    config.namespaces.map(({ ack, ackTimeoutMs }) => [ack, ackTimeoutMs]),
    [
      ['replica', 70],
      ['leader', 70],
    ],
  );
});

t.test('the configuration is frozen to the bottom, and shares nothing with the next one', async (t) => {
  const config = parsed('namespaces: [{name: a, prefix: a}]');
  const check = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(check));
  t.ok(check(config));
  t.throws(() => Object.assign(config.node, { port: 1 }), TypeError);
  t.not(parsed('').proxy.upstreams, undefined);
  t.notOk(
    Object.isFrozen((configSchema.properties.proxy as Option).properties?.upstreams.default),
    'defaults are copied',
  );
});

t.test('every mistake is reported with its line', async (t) => {
  const errors = errorsOf(`logLevel: inf
proxy:
  prot: 1
  respPort: 99999
  clientTls: {ca: x, cret: y}
  upstreams:
    - name: a
      leader: nowhere
    - leader: "h:1"
node:
  maxMemoryBytes: 64xb
  ackTimeoutMs: 1.5
  limits: 5
  replication: { pingMs: -1 }
  replicaof: host
namespaces:
  - name: a b
    prefx: b
    ack: both
tls: {ca: a, allowedNames: ["a*b"]}
`);
  t.same(errors, [
    'r.yaml: line 1: `logLevel` must be one of `trace`, `debug`, `info`, `warn`, `error`, not "inf"',
    'r.yaml: line 3: unknown key `proxy.prot`; did you mean `proxy.respPort`?',
    'r.yaml: line 4: `proxy.respPort` must be a port from 1 to 65535 or `auto` or `off`, not 99999',
    'r.yaml: line 5: `proxy.clientTls.cert` is missing: it has no default',
    'r.yaml: line 5: unknown key `proxy.clientTls.cret`; did you mean `proxy.clientTls.cert`?',
    'r.yaml: line 5: `proxy.clientTls.key` is missing: it has no default',
    'r.yaml: line 8: `proxy.upstreams.0.leader` must be `host:port`, not "nowhere"',
    'r.yaml: line 9: `proxy.upstreams.1.name` is missing: it has no default',
    'r.yaml: line 11: `node.maxMemoryBytes` must be a size from 1mb to 1024gb, such as 1048576, `64mb` or `1gb`, not "64xb"',
    'r.yaml: line 12: `node.ackTimeoutMs` must be a whole number from 1 to 600000, not 1.5',
    'r.yaml: line 13: `node.limits` must be a group of settings (`key: value` lines), not 5',
    'r.yaml: line 14: `node.replication.pingMs` must be a whole number from 10 to 10000, not -1',
    'r.yaml: line 15: `node.replicaof` must be a host and a port with a space between (`10.0.0.5 7501`), not "host"',
    'r.yaml: line 17: `namespaces.0.name` must be letters, digits, `_`, `.` and `-`, not "a b"',
    'r.yaml: line 17: `namespaces.0.prefix` is missing: it has no default',
    'r.yaml: line 18: unknown key `namespaces.0.prefx`; did you mean `namespaces.0.prefix`?',
    'r.yaml: line 19: `namespaces.0.ack` must be one of `leader`, `replica`, not "both"',
    'r.yaml: line 20: `tls.allowedNames.0` must be a SPIFFE URI or DNS name, with `*` at the end at most, not "a*b"',
    'r.yaml: line 20: `tls.cert` is missing: it has no default',
    'r.yaml: line 20: `tls.key` is missing: it has no default',
  ]);
});

t.test('unknown keys are refused with the nearest known one', async (t) => {
  const cases: [string, RegExp][] = [
    ['nodes: {}', /unknown key `nodes`; did you mean `node`\?/],
    ['control-plane: {}', /did you mean `controlPlane`\?/],
    ['node: {maxmemorybytes: 1gb}', /did you mean `node.maxMemoryBytes`\?/],
    ['node: {replication: {backlog: 1gb}}', /did you mean `node.replication.backlogBytes`\?/],
    ['node: {qqqqqqqq: 1}', /unknown key `node.qqqqqqqq`; known here: id, shard, weight, /],
    ['__proto__: {a: 1}', /unknown key `__proto__`/],
    ['node: {constructor: 1}', /unknown key `node.constructor`/],
  ];
  for (const [yaml, message] of cases) t.match(errorsOf(yaml), [message], yaml);
});

t.test('what is not a configuration in YAML is one clear error', async (t) => {
  t.match(errorsOf('node:\n  id: [1\nproxy: {}\n'), [/^r.yaml: line \d: /]);
  t.match(errorsOf('node: {}\nnode: {}\n'), [/^r.yaml: line 2: Map keys must be unique/]);
  t.match(errorsOf('\tnode: 1'), [/^r.yaml: line 1: /]);
  t.match(errorsOf('a: {}\n---\nb: {}\n').slice(0, 1), [/line \d: a configuration is one YAML document/]);
  for (const yaml of ['5', 'text', '- a\n- b'])
    t.match(errorsOf(yaml), [/a configuration is a group of settings/], yaml);
  const laughs = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n`;
  t.match(errorsOf(laughs), [/Excessive alias count/]);
  t.match(errorsOf('node: &n\n  limits: *n\n'), [/r.yaml: line 2: /], 'a loop ends');
});

t.test('anchors work, and mistakes in them have a line', async (t) => {
  const config = parsed('tls: {ca: &ca /ca.pem, cert: *ca, key: *ca}');
  t.equal(config.tls?.key, '/ca.pem');
  t.match(errorsOf('node:\n  limits: &l\n    maxConnections: x\n'), [/line 3: `node.limits.maxConnections`/]);
});

t.test('--set goes over the file, value in YAML, later ones win', async (t) => {
  const file = 'node: {port: 1, requirePass: file}\nnamespaces: [{name: a, prefix: "a:"}]';
  const config = parsed(file, {
    sets: [
      'node.port=7777',
      'node.port=auto',
      'node.requirePass=0x10',
      'node.id=',
      'namespaces.0.ack=replica',
      'namespaces.1={name: b, prefix: b=c}',
      'proxy.limits.maxBulkBytes=1mb',
      'controlPlane.formation={shards: 3, nodesPerShard: 2}',
      'proxy.controlPlane=cp:7401',
    ],
  });
  t.match(config.node, { port: 'auto', requirePass: '0x10', id: null });
  t.same(
    config.namespaces.map(({ name, prefix, ack }) => [name, prefix, ack]),
    [
      ['a', 'a:', 'replica'],
      ['b', 'b=c', 'leader'],
    ],
  );
  t.equal(config.proxy.limits.maxBulkBytes, 1048576);
  t.same(config.controlPlane.formation, { shards: 3, nodesPerShard: 2 });
  t.equal(config.proxy.controlPlane, 'cp:7401');
  t.equal(
    parsed('node: {requirePass: x}', { sets: ['node.requirePass='] }).node.requirePass,
    null,
    'empty: the default',
  );
});

t.test('a wrong --set is named, and its value is not repeated where it is secret', async (t) => {
  const cases: [string, RegExp][] = [
    ['node.prt=5', /^--set node.prt: unknown key `node.prt`; did you mean `node.port`\?$/],
    ['node.port=abc', /^--set node.port: `node.port` must be a port from 1 to 65535 or `auto`, not "abc"$/],
    ['node.port.x=1', /^--set node.port.x: `node.port.x`: `node.port` is a single value, not a group$/],
    ['namespaces.1.ack=leader', /^--set namespaces.1.ack: `namespaces` has 0 entries: the next one is 0$/],
    ['namespaces.x=1', /is not a position in a list/],
    ['node.port', /^--set node.port: write it as `path=value`/],
    ['=5', /write it as `path=value`/],
    ['__proto__.x=1', /unknown key `__proto__`/],
    ['node={id: [}', /^--set node: /],
    ['node.requirePass={a: hush}', /^--set node.requirePass: `node.requirePass` must be text$/],
  ];
  for (const [set, message] of cases) t.match(errorsOf('', { sets: [set] }), [message], set);
  t.equal(({} as { x?: unknown }).x, undefined, 'no prototype was touched');
  t.same(errorsOf('nod: 1\n', { sets: ['node.port=abc'] }).length, 2, 'with the mistakes of the file');
});

t.test('rules between options', async (t) => {
  const cases: [string, RegExp][] = [
    ['node:\n  replicaof: h 1', /line 2: `node.replicaof` needs `node.standalone`/],
    [
      'node: {standalone: true, controlPlane: "h:1"}',
      /line 1: `node.standalone` and `node.controlPlane` exclude/,
    ],
    [
      'node: {replication: {pingMs: 250, timeoutMs: 700}}',
      /`node.replication.timeoutMs` \(700\) must be at least 3 x/,
    ],
    ['node: {port: 7601}', /`node.adminPort` and `node.port` are both 7601/],
    ['proxy: {controlPlane: "h:1", upstreams: [{name: a, leader: "h:1"}]}', /exclude each other/],
    ['proxy: {engine: redis, controlPlane: "h:1"}', /`proxy.engine: redis` needs `proxy.upstreams`/],
    [
      'proxy: {readTimeoutMs: 1000}',
      /`proxy.readTimeoutMs` \(1000\) must be below `proxy.operationTimeoutMs`/,
    ],
    [
      'proxy: {limits: {maxBulkBytes: 256mb}}',
      /`proxy.limits.maxBufferedBytesPerConnection` must be at least/,
    ],
    ['proxy: {httpPort: 7379}', /`proxy.httpPort` and `proxy.respPort` are both 7379/],
    [
      'proxy: {upstreams: [{name: a, leader: "h:1"}, {name: a, leader: "h:2"}]}',
      /`proxy.upstreams.1.name` is "a", as/,
    ],
    [
      'proxy: {upstreams: [{name: a, leader: "h:70000"}]}',
      /`proxy.upstreams.0.leader` must be `host:port` with a port/,
    ],
    ['node: {controlPlane: "h:0"}', /`node.controlPlane` must be `host:port` with a port from 1/],
    ['controlPlane: {leaseMs: 300}', /`controlPlane.heartbeatMs` \(250\) must be at most 100/],
    ['controlPlane: {formation: {shards: 3}}', /`controlPlane.formation.nodesPerShard` is missing/],
    ['controlPlane: {state: etcd}', /`controlPlane.state` comes in a later release/],
    ['proxy: {warmUp: {}}', /`proxy.warmUp.from` is missing/],
    ['proxy: {warmUp: {from: [{name: a}]}}', /`proxy.warmUp.from.0.leader` is missing/],
    [
      'proxy: {warmUp: {from: [{name: a, leader: "h:0"}]}}',
      /`proxy.warmUp.from.0.leader` must be `host:port`/,
    ],
    [
      'proxy: {shadow: {to: [{name: a, leader: "h:1", sentinels: ["h:2"]}]}}',
      /`proxy.shadow.to.0.sentinels` are for `proxy.upstreams` only/,
    ],
    [
      'proxy: {shadow: {to: [{name: a, leader: "h:1"}], namespaces: [{name: gone}]}}',
      /`proxy.shadow.namespaces.0.name`: there is no namespace "gone"/,
    ],
    [
      'proxy: {shadow: {to: [{name: a, leader: "h:1", gutter: true}]}}',
      /`proxy.shadow.to.0.gutter` is for `proxy.upstreams` only/,
    ],
    ['nearCache: {mode: always}', /`nearCache.mode` has no effect: no namespace has `stalenessMs` above 0/],
    [
      'namespaces: [{name: a, prefix: a, hedgedReads: true}]',
      /`namespaces.0.hedgedReads` needs `namespaces.0.stalenessMs` above 0/,
    ],
    [
      '{nearCache: {mode: always}, namespaces: [{name: a, prefix: a, stalenessMs: 9, hedgedReads: true}]}',
      /`namespaces.0.hedgedReads` and a near cache exclude each other/,
    ],
    [
      'namespaces: [{name: a, prefix: a, stalenessMs: 9, hedgedReads: true, origin: "http://h/{key}"}]',
      /`namespaces.0.hedgedReads` and `namespaces.0.origin` exclude each other/,
    ],
    [
      '{proxy: {warmUp: {from: [{name: a, leader: "h:1"}]}}, namespaces: [{name: a, prefix: a, stalenessMs: 9, hedgedReads: true}]}',
      /`namespaces.0.hedgedReads` and `proxy.warmUp` exclude each other/,
    ],
    ['nearCache: {minTtlMs: 9, maxTtlMs: 8}', /`nearCache.minTtlMs` \(9\) must be at most/],
    [
      'namespaces: [{name: a, prefix: a, nearCache: always}]',
      /`namespaces.0.nearCache` needs `namespaces.0.stalenessMs` above 0/,
    ],
    [
      'namespaces: [{name: a, prefix: a}, {name: a, prefix: b}]',
      /`namespaces.1.name` is "a", as `namespaces.0.name`/,
    ],
    ['namespaces: [{name: a, prefix: x}, {name: b, prefix: x}]', /`namespaces.1.prefix` is "x"/],
    [
      '{proxy: {engine: redis, upstreams: [{name: a, leader: "h:1"}]}, namespaces: [{name: a, prefix: a, origin: "http://h/{key}"}]}',
      /`namespaces.0.origin` needs nodes of engine `ringside`/,
    ],
    [
      'namespaces: [{name: a, prefix: a, origin: {url: "http://h/{key}", breaker: {openMs: 60000}}}]',
      /`namespaces.0.origin.breaker.openMs` \(60000\) must be at most/,
    ],
  ];
  for (const [yaml, message] of cases) t.match(errorsOf(yaml), [message], yaml);
});

t.test('an origin is a URL, or a group with one', async (t) => {
  const yaml = (origin: string) => `namespaces: [{name: a, prefix: "a:", origin: ${origin}}]`;
  const [short] = parseConfig(yaml('"http://127.0.0.1:8080/fill/{key}"')).config!.namespaces;
  const [long] = parseConfig(yaml('{url: "http://127.0.0.1:8080/fill/{key}"}')).config!.namespaces;
  t.same(short.origin, long.origin);
  t.match(short.origin, { timeoutMs: 5000, maxConcurrent: 32, breaker: { consecutiveFailures: 5 } });
  for (const url of [
    'http://h',
    'http://h/',
    'ftp://h/{key}',
    'http://h/{key}/{key}',
    'http://u@h/{key}',
    'h/{key}',
  ])
    t.match(errorsOf(yaml(`"${url}"`)), [/`namespaces.0.origin` must be an `http:/], url);
  t.equal(errorsOf(yaml('{timeoutMs: 5}')).length, 2, 'both mistakes, and no third');
  t.match(errorsOf(yaml('{url: "http://h/{key}", timeoutMs: 5}')), [
    /`namespaces.0.origin.timeoutMs` must be/,
  ]);
  t.match(errorsOf(yaml('{url: "http://h/{key}", breaker: {oprnMs: 5}}')), [/did you mean .*openMs/]);
});

t.test('what a role cannot start without is asked for only of that role', async (t) => {
  t.match(errorsOf('', { role: 'node' }), [
    /`node.controlPlane` is missing/,
    /`node.id` is missing/,
    /`node.shard` is missing/,
  ]);
  t.match(errorsOf('', { role: 'proxy' }), [/`proxy.controlPlane` or `proxy.upstreams` is missing/]);
  t.same(errorsOf('', { role: 'control-plane' }), []);
  t.same(errorsOf('node: {standalone: true}', { role: 'node' }), []);
  t.same(errorsOf('proxy: {upstreams: [{name: a, leader: "h:1"}]}', { role: 'proxy' }), []);
  t.same(errorsOf(''), []);
});

t.test('configFrom takes settings in memory and throws all errors at once', async (t) => {
  t.equal(configFrom({ node: { port: 'auto' } }).node.port, 'auto');
  t.throws(() => configFrom({ node: { prt: 1 }, proxy: { workers: 0 } }), {
    code: 'config_invalid',
    message: /node\.prt.*; `proxy.workers` must be a whole number from 1 to 256, not 0/,
  });
});

t.test('sizes and addresses', async (t) => {
  for (const [text, bytes] of Object.entries({
    '5': 5,
    '5b': 5,
    '1k': 1000,
    '1KB': 1024,
    '3m': 3e6,
    '64mb': 67108864,
    '2g': 2e9,
    '1GB': 1073741824,
  })) {
    t.equal(sizeInBytes(text), bytes, text);
  }
  for (const text of ['', 'mb', '1.5gb', '-1', '1 mb', '1tb', '1kib'])
    t.ok(Number.isNaN(sizeInBytes(text)), text);
  t.same(splitAddress('h.example:80'), { host: 'h.example', port: 80 });
  t.same(splitAddress('[::1]:80'), { host: '::1', port: 80 });
  for (const text of ['h', ':80', 'h:', '::1:80', 'h:0', 'h:65536', 'h:8o', 'a b:80'])
    t.equal(splitAddress(text), null, text);
});

t.test('no text makes the parser throw, and errors are never empty', async (t) => {
  const yaml = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .array(
        fc.constantFrom('node', ': ', '\n', '  ', '- ', '&a ', '*a', '{', '}', '[', '"', '1', '!!int ', '<<'),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(yaml, fc.array(fc.string(), { maxLength: 2 }), (text, sets) => {
      const { config, errors } = parseConfig(text, { sets });
      return (config === undefined) !== (errors === undefined) && (errors === undefined || errors.length > 0);
    }),
    { numRuns: 500 },
  );
  t.pass('500 texts');
});

/** Every option with its path. */
function* options(option: Option, path = ''): Generator<[string, Option]> {
  for (const [key, child] of Object.entries(option.properties ?? {})) {
    const name = path ? `${path}.${key}` : key;
    yield [name, child];
    for (const group of [child, ...(child.anyOf ?? []), ...(child.items ? [child.items] : [])])
      yield* options(group, name);
  }
}

t.test('the schema is JSON Schema, and every option says what it is', async (t) => {
  const ajv = new Ajv({ strict: true });
  for (const keyword of ownKeywords) ajv.addKeyword(keyword);
  t.ok(ajv.validateSchema(configSchema));
  const validate = ajv.compile(JSON.parse(JSON.stringify(configSchema)));
  t.ok(validate({ node: { port: 'auto', maxMemoryBytes: '1gb' }, proxy: { clientTls: 'off' } }));
  t.notOk(validate({ node: { prt: 1 } }));
  const all = [...options(configSchema as Option)];
  t.ok(all.length > 90, `${all.length} options`);
  for (const [name, option] of all) {
    t.match(option.description, /\.$/, `${name} is described in sentences`);
    if (option.type !== 'object') t.ok(option.unit && option.expects, `${name} has a unit`);
  }
});

t.test('docs/configuration.md is what the schema says', async (t) => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  t.ok(page.endsWith(configurationReference()), 'run: node scripts/write-configuration-docs.ts');
});
