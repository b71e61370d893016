import { RingsideError, silentLogger, systemClock } from '../../lib/base/index.ts';
import type { Config } from '../../lib/config/index.ts';
import { loadTls, probePort, type TlsMaterial } from '../../lib/net/index.ts';
import type { DevOptions } from '../commands/dev.ts';
import { loadConfig } from '../configuration.ts';
import type { FleetCertificates, TlsIdentity } from './certificates.ts';
import { ChildLogs } from './child-logs.ts';
import { Fleet } from './fleet.ts';
import { openStateFolder, type StateFolder } from './folder.ts';
import { type Member, planFleet } from './plan.ts';
import { renderWelcome } from './welcome.ts';

/** Runs a whole fleet until SIGINT or SIGTERM. Rejects, with everything ended, when it cannot be brought up. */
export async function runDev(options: DevOptions): Promise<void> {
  const stopped = stopSignal();
  const config = loadConfig(options);
  const folder = openStateFolder(options.dir, options.shards);
  process.on('exit', () => folder.dispose());
  const members = planFleet(config, options, folder.path);
  for (const { ports } of members) for (const port of ports) await assertFree(port);
  const certificates = options.tls ? await makeCertificates(folder.path, members) : null;
  const logs = new ChildLogs(say, options.logLevel !== undefined);
  const fleet = new Fleet({
    assignmentOf: (member) => ({
      config: configOf(member, options, config, certificates?.of(member)),
      orphanRemoves: folder.isTemporary ? folder.path : null,
    }),
    restart: options.restart ?? false,
    clock: systemClock,
    log: (line) => logs.line(line),
    say,
  });
  const identity = certificates?.client ?? config.tls ?? undefined;
  const tls = identity && loadTls(identity, silentLogger);
  stopped.onSecond(() => fleet.kill());
  try {
    const up = bringUp(fleet, members, { options, folder: folder.path, identity, tls });
    await Promise.race([up.then(() => settle(logs, folder)), stopped.first]);
    await stopped.first;
  } finally {
    logs.end();
    await fleet.stop();
    tls?.close();
    folder.dispose();
  }
  process.exit(0);
}

/** The fleet is up. */
function settle(logs: ChildLogs, folder: StateFolder): void {
  logs.forget();
  folder.keep();
}

interface Surroundings {
  readonly options: DevOptions;
  readonly folder: string;
  readonly identity?: TlsIdentity;
  readonly tls?: TlsMaterial;
}

async function bringUp(fleet: Fleet, members: readonly Member[], around: Surroundings): Promise<void> {
  const { options, folder, identity, tls } = around;
  const starting = fleet.start(members);
  starting.catch(() => {});
  // Loaded while the children start.
  const { waitUntilWhole } = await import('./readiness.ts');
  const started = await starting;
  await waitUntilWhole(started, { tls, clock: systemClock });
  const text = renderWelcome(started, {
    request: options,
    folder,
    isTemporary: options.dir === undefined,
    json: options.json,
    identity,
  });
  process.stdout.write(text);
}

async function makeCertificates(dir: string, members: readonly Member[]): Promise<FleetCertificates> {
  // The certificate library takes 100 ms to load.
  const { makeFleetCertificates } = await import('./certificates.ts');
  return makeFleetCertificates(dir, members);
}

/** One sentence about a taken port, before anything is started. */
async function assertFree(port: { host: string; port: number; setting: string }): Promise<void> {
  try {
    await probePort(port);
  } catch (error) {
    const { code, message } = error as RingsideError;
    if (code !== 'port_in_use') throw error;
    throw new RingsideError('port_in_use', `${message}; --port-offset N moves all ports`, { cause: error });
  }
}

/** The user's configuration with the member's own settings and certificate over it, and warnings only unless more is asked for. */
function configOf(member: Member, options: DevOptions, config: Config, tls?: TlsIdentity): Config {
  const isQuiet = options.logLevel === undefined && config.logLevel === 'info';
  const settings = { ...member.settings, ...(tls && { tls }), ...(isQuiet && { logLevel: 'warn' }) };
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: `--set ${path}`, path, value }));
  return loadConfig(options, { role: member.role, flags });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The first SIGINT, SIGTERM or SIGHUP, and what to do at a second one. */
function stopSignal(): { first: Promise<void>; onSecond(action: () => void): void } {
  let seen = 0;
  let second = () => {};
  const first = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        seen++;
        if (seen === 1) resolve();
        else second();
      });
    }
  });
  return { first, onSecond: (action) => (second = action) };
}
