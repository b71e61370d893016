import type { Test } from 'tap';
import { type Logger, silentLogger, systemClock, systemRandom } from '../../lib/base/index.ts';
import { configFrom } from '../../lib/config/index.ts';
import { DataPath } from '../../proxy/core/data-path.ts';
import { Stats } from '../../proxy/core/stats.ts';
import { type InheritedState, ProxyThread } from '../../proxy/thread.ts';
import { SharedIds } from '../../proxy/workers/shared-ids.ts';

/** A thread of a proxy with these options, without a ring and without listeners; closed with the test. */
export function threadOf(
  t: Test,
  options: object = {},
  inherited: InheritedState | null = null,
  log: Logger = silentLogger,
): { path: DataPath; thread: ProxyThread } {
  const config = configFrom({ proxy: { upstreams: [{ name: 's0', leader: '127.0.0.1:1' }], ...options } });
  const path = new DataPath(config, {
    clock: systemClock,
    random: systemRandom,
    log,
    stats: new Stats(),
    fleetTls: undefined,
    refresh: undefined,
  });
  t.teardown(() => path.close());
  const thread = new ProxyThread({
    config,
    clock: systemClock,
    random: systemRandom,
    path,
    ids: new SharedIds(),
    inherited,
  });
  return { path, thread };
}
