import { splitAddress } from './option.ts';
import type { Config, Path, UpstreamConfig } from './schema.ts';

/** Which role the configuration is for; what only that role needs is asked for then. */
export type Role = 'node' | 'proxy' | 'control-plane';

/** Takes an error about the option at `path`. */
export type Report = (path: Path, message: string) => void;

/** Reports what is wrong between options, each one valid by itself. `role` adds what that role cannot start without. */
export function checkRules(config: Config, role: Role | undefined, report: Report): void {
  checkNode(config, role === 'node', report);
  checkProxy(config, role === 'proxy', report);
  checkControlPlane(config, report);
  checkNamespaces(config, report);
  checkAddresses(config, report);
  checkNearCache(config, report);
  checkBalance(config, report);
  checkGutter(config, report);
  checkHedgedReads(config, report);
  checkOtherClusters(config, report);
}

function later(path: Path, report: Report): void {
  report(path, `\`${path.join('.')}\` comes in a later release: leave it out`);
}

function checkNode({ node }: Config, isRole: boolean, report: Report): void {
  if (node.replicaof !== null && !node.standalone) {
    report(
      ['node', 'replicaof'],
      '`node.replicaof` needs `node.standalone`: in a fleet the control plane says whom to follow',
    );
  }
  if (node.standalone && node.controlPlane !== null) {
    report(['node', 'standalone'], '`node.standalone` and `node.controlPlane` exclude each other');
  }
  if (isRole && node.appendOnly && node.dir === null)
    report(['node', 'appendOnly'], '`node.appendOnly` needs `node.dir`, the folder that the file is in');
  if (isRole && !node.standalone) {
    for (const key of ['id', 'shard', 'controlPlane'] as const) {
      if (node[key] === null)
        report(['node', key], `\`node.${key}\` is missing: only a \`standalone\` node can do without`);
    }
  }
  if (node.replication.timeoutMs < 3 * node.replication.pingMs) {
    report(
      ['node', 'replication', 'timeoutMs'],
      `\`node.replication.timeoutMs\` (${node.replication.timeoutMs}) must be at least 3 x \`node.replication.pingMs\` (${node.replication.pingMs})`,
    );
  }
  distinctPorts('node', { port: node.port, adminPort: node.adminPort }, report);
}

function checkProxy({ proxy }: Config, isRole: boolean, report: Report): void {
  const fixed = proxy.upstreams.some(({ gutter }) => !gutter);
  if (fixed && proxy.controlPlane !== null) {
    report(
      ['proxy', 'upstreams'],
      '`proxy.upstreams` and `proxy.controlPlane` exclude each other, but for gutter shards: the ring comes from one place',
    );
  }
  if (isRole && !fixed && proxy.controlPlane === null) {
    const missing =
      proxy.upstreams.length > 0
        ? '`proxy.upstreams` are all `gutter: true`, and `proxy.controlPlane` is missing'
        : '`proxy.controlPlane` or `proxy.upstreams` is missing';
    report(['proxy', 'controlPlane'], `${missing}: the ring must come from somewhere`);
  }
  if (proxy.engine === 'redis' && proxy.controlPlane !== null) {
    report(
      ['proxy', 'engine'],
      '`proxy.engine: redis` needs `proxy.upstreams`: the control plane knows only Ringside nodes',
    );
  }
  if (proxy.readTimeoutMs >= proxy.operationTimeoutMs) {
    report(
      ['proxy', 'readTimeoutMs'],
      `\`proxy.readTimeoutMs\` (${proxy.readTimeoutMs}) must be below \`proxy.operationTimeoutMs\` (${proxy.operationTimeoutMs}), to leave time for a follower`,
    );
  }
  if (proxy.limits.maxBufferedBytesPerConnection < proxy.limits.maxBulkBytes) {
    report(
      ['proxy', 'limits', 'maxBufferedBytesPerConnection'],
      '`proxy.limits.maxBufferedBytesPerConnection` must be at least `proxy.limits.maxBulkBytes`, or the largest value never fits',
    );
  }
  if (proxy.limits.maxApiBytes < proxy.limits.maxHttpBodyBytes) {
    report(
      ['proxy', 'limits', 'maxApiBytes'],
      '`proxy.limits.maxApiBytes` must be at least `proxy.limits.maxHttpBodyBytes`, or the largest body never fits',
    );
  }
  checkResilience(proxy.resilience, report);
  checkUsers(proxy, report);
  unique(proxy.upstreams, 'name', ['proxy', 'upstreams'], report);
  for (const i of proxy.upstreams.keys()) checkUpstream(proxy, i, report);
  const { respPort, memcachedPort, httpPort, grpcPort, adminPort } = proxy;
  distinctPorts('proxy', { respPort, memcachedPort, httpPort, grpcPort, adminPort }, report);
}

function checkResilience({ outlier, breaker }: Config['proxy']['resilience'], report: Report): void {
  const atLeast = (path: string, more: number, key: string, less: number) => {
    if (more < less)
      report(
        ['proxy', 'resilience', ...path.split('.')],
        `\`proxy.resilience.${path}\` (${more}) must be at least \`${key}\` (${less})`,
      );
  };
  atLeast('outlier.maxEjectionMs', outlier.maxEjectionMs, 'ejectionMs', outlier.ejectionMs);
  atLeast('breaker.maxOpenMs', breaker.maxOpenMs, 'openMs', breaker.openMs);
}

function checkUsers({ aclFile, users, requirePass }: Config['proxy'], report: Report): void {
  unique(users, 'name', ['proxy', 'users'], report);
  if (aclFile === null) return;
  if (users.length > 0)
    report(
      ['proxy', 'users'],
      '`proxy.users` and `proxy.aclFile` exclude each other: users come from one place',
    );
  if (requirePass !== null)
    report(
      ['proxy', 'requirePass'],
      '`proxy.requirePass` and `proxy.aclFile` exclude each other: the file says what `default` needs',
    );
}

/** The old cluster of a warm-up and the other one of shadowing. */
function checkOtherClusters({ proxy, namespaces }: Config, report: Report): void {
  const { warmUp, shadow } = proxy;
  if (warmUp !== null) checkOtherShards(warmUp.from, ['proxy', 'warmUp', 'from'], report);
  if (shadow === null) return;
  checkOtherShards(shadow.to, ['proxy', 'shadow', 'to'], report);
  unique(shadow.namespaces, 'name', ['proxy', 'shadow', 'namespaces'], report);
  const names = new Set(namespaces.map(({ name }) => name));
  for (const [i, { name }] of shadow.namespaces.entries())
    if (!names.has(name))
      report(
        ['proxy', 'shadow', 'namespaces', i, 'name'],
        `\`proxy.shadow.namespaces.${i}.name\`: there is no namespace ${JSON.stringify(name)}`,
      );
}

function checkOtherShards(shards: readonly UpstreamConfig[], path: Path, report: Report): void {
  const name = path.join('.');
  if (shards.length === 0) report(path, `\`${name}\` is missing: it names the shards of the other cluster`);
  unique(shards, 'name', path, report);
  for (const [i, { leader, sentinels, gutter, username, password }] of shards.entries()) {
    const check = (key: string, isMet: boolean, message: string) => {
      if (!isMet) report([...path, i, key], `\`${name}.${i}.${key}\` ${message}`);
    };
    check('leader', leader !== null, 'is missing');
    check('sentinels', sentinels.length === 0, 'are for `proxy.upstreams` only: name the leader');
    check('gutter', !gutter, 'is for `proxy.upstreams` only');
    check('username', username === null || password !== null, 'needs `password`');
  }
}

function checkUpstream({ upstreams, engine: general }: Config['proxy'], i: number, report: Report): void {
  const { engine, leader, sentinels, masterName, username, password, sentinelUsername, sentinelPassword } =
    upstreams[i];
  const need = (key: string, isMet: boolean, message: string) => {
    if (!isMet) report(['proxy', 'upstreams', i, key], `\`proxy.upstreams.${i}.${key}\` ${message}`);
  };
  const hasSentinels = sentinels.length > 0;
  need('leader', leader !== null || hasSentinels, 'is missing: only a shard with `sentinels` can do without');
  need('sentinels', !hasSentinels || (engine ?? general) === 'redis', 'needs engine `redis`');
  need('sentinels', !hasSentinels || masterName !== null, "needs `masterName`, the shard's name there");
  need('masterName', masterName === null || hasSentinels, 'needs `sentinels`');
  need('username', username === null || password !== null, 'needs `password`');
  need(
    'sentinelUsername',
    sentinelUsername === null || sentinelPassword !== null,
    'needs `sentinelPassword`',
  );
  need('sentinelPassword', sentinelPassword === null || hasSentinels, 'needs `sentinels`');
}

function checkControlPlane({ controlPlane }: Config, report: Report): void {
  const { heartbeatMs, leaseMs, suspectAfterMs, formation } = controlPlane;
  const limit = Math.min(leaseMs / 3, suspectAfterMs / 2);
  if (heartbeatMs > limit) {
    report(
      ['controlPlane', 'heartbeatMs'],
      `\`controlPlane.heartbeatMs\` (${heartbeatMs}) must be at most ${Math.floor(limit)}: a third of \`leaseMs\` (${leaseMs}) and half of \`suspectAfterMs\` (${suspectAfterMs})`,
    );
  }
  if ((formation.shards === null) !== (formation.nodesPerShard === null)) {
    const missing = formation.shards === null ? 'shards' : 'nodesPerShard';
    report(
      ['controlPlane', 'formation'],
      `\`controlPlane.formation.${missing}\` is missing: give both counts or none`,
    );
  }
  if (controlPlane.state === 'etcd') later(['controlPlane', 'state'], report);
  distinctPorts('controlPlane', { httpPort: controlPlane.httpPort, grpcPort: controlPlane.grpcPort }, report);
}

function checkNamespaces({ namespaces, proxy }: Config, report: Report): void {
  unique(namespaces, 'name', ['namespaces'], report);
  unique(namespaces, 'prefix', ['namespaces'], report);
  const { upstreams, engine: general } = proxy;
  const isRedis = upstreams.length > 0 && upstreams.every(({ engine }) => (engine ?? general) === 'redis');
  for (const [i, { origin }] of namespaces.entries()) {
    if (origin !== null && isRedis)
      report(
        ['namespaces', i, 'origin'],
        `\`namespaces.${i}.origin\` needs nodes of engine \`ringside\`: a fill takes a lease, which a redis-server has not`,
      );
    if (origin === null || origin.breaker.openMs <= origin.breaker.maxOpenMs) continue;
    const name = `namespaces.${i}.origin.breaker`;
    report(
      ['namespaces', i, 'origin', 'breaker', 'openMs'],
      `\`${name}.openMs\` (${origin.breaker.openMs}) must be at most \`${name}.maxOpenMs\` (${origin.breaker.maxOpenMs})`,
    );
  }
}

/** What the near cache of one thread needs at least. */
const LEAST_NEAR_BYTES = 256 << 10;

function checkNearCache({ nearCache, namespaces, proxy }: Config, report: Report): void {
  const { mode, minTtlMs, maxTtlMs } = nearCache;
  if (minTtlMs > maxTtlMs)
    report(
      ['nearCache', 'minTtlMs'],
      `\`nearCache.minTtlMs\` (${minTtlMs}) must be at most \`nearCache.maxTtlMs\` (${maxTtlMs})`,
    );
  const leastBytes = LEAST_NEAR_BYTES * (proxy.workers > 1 ? proxy.workers + 1 : 1);
  if (nearCache.maxBytes < leastBytes)
    report(
      ['nearCache', 'maxBytes'],
      `\`nearCache.maxBytes\` must be at least ${leastBytes} (256 KiB for each thread of \`proxy.workers\`)`,
    );
  const isOn = (one: string | null) => one !== null && one !== 'off';
  for (const [i, { nearCache: own, stalenessMs }] of namespaces.entries()) {
    if (isOn(own) && stalenessMs === 0)
      report(
        ['namespaces', i, 'nearCache'],
        `\`namespaces.${i}.nearCache\` needs \`namespaces.${i}.stalenessMs\` above 0: a value in the proxy may be a little old`,
      );
  }
  if (mode !== 'off' && !namespaces.some(({ stalenessMs }) => stalenessMs > 0))
    report(
      ['nearCache', 'mode'],
      '`nearCache.mode` has no effect: no namespace has `stalenessMs` above 0, and only their values are kept',
    );
}

function checkGutter({ proxy: { upstreams }, namespaces }: Config, report: Report): void {
  for (const [i, { gutter, followers }] of upstreams.entries())
    if (gutter && followers.length > 0)
      report(
        ['proxy', 'upstreams', i, 'followers'],
        `\`proxy.upstreams.${i}\` is a gutter shard: what it holds is not worth followers`,
      );
  for (const [i, { gutter, stalenessMs }] of namespaces.entries())
    if (gutter && stalenessMs === 0)
      report(
        ['namespaces', i, 'gutter'],
        `\`namespaces.${i}.gutter\` needs \`namespaces.${i}.stalenessMs\` above 0: what is written to the gutter is lost for the shard`,
      );
}

function checkHedgedReads({ namespaces, nearCache, proxy }: Config, report: Report): void {
  for (const [i, { hedgedReads, stalenessMs, nearCache: own, origin }] of namespaces.entries()) {
    if (!hedgedReads) continue;
    const name = `namespaces.${i}.hedgedReads`;
    const refuse = (message: string) => report(['namespaces', i, 'hedgedReads'], `\`${name}\` ${message}`);
    if (stalenessMs === 0)
      refuse(`needs \`namespaces.${i}.stalenessMs\` above 0: a follower may be a little behind`);
    else if ((own ?? nearCache.mode) !== 'off')
      refuse(`and a near cache exclude each other: set \`namespaces.${i}.nearCache\` to \`off\``);
    if (origin !== null) refuse(`and \`namespaces.${i}.origin\` exclude each other`);
    if (proxy.warmUp !== null)
      refuse('and `proxy.warmUp` exclude each other: leave it out until the warm-up is over');
  }
}

function checkBalance({ balance, namespaces }: Config, report: Report): void {
  if (balance.mode !== 'off' && !namespaces.some(({ stalenessMs }) => stalenessMs > 0))
    report(
      ['balance', 'mode'],
      '`balance.mode` has no effect: no namespace has `stalenessMs` above 0, and only their reads may go elsewhere',
    );
}

/** The schema checks the form `host:port`; a port of 0 or 99999 has that form too. */
function checkAddresses(config: Config, report: Report): void {
  const check = (path: Path, value: string | null) => {
    if (value !== null && splitAddress(value) === null) {
      report(
        path,
        `\`${path.join('.')}\` must be \`host:port\` with a port from 1 to 65535, not ${JSON.stringify(value)}`,
      );
    }
  };
  for (const key of ['advertise', 'adminAdvertise', 'controlPlane'] as const)
    check(['node', key], config.node[key]);
  for (const key of ['adminAdvertise', 'controlPlane'] as const) check(['proxy', key], config.proxy[key]);
  const { upstreams, warmUp, shadow } = config.proxy;
  const checkShards = (path: Path, shards: readonly UpstreamConfig[]) => {
    for (const [i, { leader, followers, sentinels }] of shards.entries()) {
      check([...path, i, 'leader'], leader);
      for (const [j, follower] of followers.entries()) check([...path, i, 'followers', j], follower);
      for (const [j, sentinel] of sentinels.entries()) check([...path, i, 'sentinels', j], sentinel);
    }
  };
  checkShards(['proxy', 'upstreams'], upstreams);
  checkShards(['proxy', 'warmUp', 'from'], warmUp?.from ?? []);
  checkShards(['proxy', 'shadow', 'to'], shadow?.to ?? []);
}

function unique<K extends string>(
  items: readonly Record<K, string>[],
  key: K,
  path: Path,
  report: Report,
): void {
  const first = new Map<string, number>();
  for (const [i, item] of items.entries()) {
    const earlier = first.get(item[key]);
    if (earlier === undefined) first.set(item[key], i);
    else {
      const name = (at: number) => `\`${[...path, at, key].join('.')}\``;
      report([...path, i, key], `${name(i)} is ${JSON.stringify(item[key])}, as ${name(earlier)} is already`);
    }
  }
}

function distinctPorts(section: string, ports: Record<string, unknown>, report: Report): void {
  const first = new Map<unknown, string>();
  for (const [key, port] of Object.entries(ports)) {
    if (typeof port !== 'number') continue;
    const earlier = first.get(port);
    if (earlier === undefined) first.set(port, key);
    else report([section, key], `\`${section}.${key}\` and \`${section}.${earlier}\` are both ${port}`);
  }
}
