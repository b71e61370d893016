import type { Clock, Random } from '../lib/base/index.ts';
import { type CommandSpec, catalogueOf } from '../lib/commands/index.ts';
import type { Config } from '../lib/config/index.ts';
import { createLineLog } from '../lib/net/index.ts';
import { Access, addConfiguredUsers, usersAsText } from './access/index.ts';
import { noCounts } from './balance/index.ts';
import { type BalanceState, NO_BALANCE } from './core/balance-port.ts';
import type { DataPath } from './core/data-path.ts';
import { NO_NEAR_CACHE } from './core/near-port.ts';
import type { NodeFigure } from './core/node-figures.ts';
import { nodeFigures, resetNodeFigures } from './core/node-figures-of.ts';
import type { NamespaceFigures } from './near/index.ts';
import { applySettings, settingsNow } from './resp/config-settings.ts';
import { Pause } from './resp/pause.ts';
import { plans } from './resp/plans.ts';
import { AccessLog } from './watch/access-log.ts';
import type { CommandFigure, CommandFigures } from './watch/command-figures.ts';
import { ProxyWatch } from './watch/proxy-watch.ts';
import { RespWatch } from './watch/resp-watch.ts';
import { ProxySettings } from './watch/settings.ts';
import { Desk, type SlowEntry } from './workers/questions.ts';
import type { SharedIds } from './workers/shared-ids.ts';

/** What a thread takes over from the main one when it begins. Plain data. */
export interface InheritedState {
  /** All users, as an ACL file. */
  readonly users: string;
  readonly settings: readonly (readonly [name: string, text: string])[];
}

/** What a thread's state is made of. */
export interface ThreadParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly path: DataPath;
  readonly ids: SharedIds;
  /** Null in the main thread, which begins with what the configuration says. */
  readonly inherited: InheritedState | null;
}

/** Everything of one thread beside its data path: users, settings, what is known of its commands, and what it answers when another thread asks. */
export class ProxyThread {
  readonly settings = new ProxySettings();
  readonly access: Access;
  readonly watch: ProxyWatch;
  /** Of RESP clients. */
  readonly commandsOfResp: RespWatch;
  readonly pause: Pause;
  readonly ids: SharedIds;
  readonly desk = new Desk();
  /** What is known of commands, by listener. */
  readonly figures: CommandFigures[] = [];
  readonly #path: DataPath;

  /** Throws RingsideError `config_invalid` when the configured users are wrong. */
  constructor({ config, clock, random, path, ids, inherited }: ThreadParts) {
    const { proxy } = config;
    this.ids = ids;
    this.#path = path;
    this.settings.idleTimeoutMs = proxy.limits.idleTimeoutMs;
    this.settings.requirePass = proxy.requirePass ?? '';
    this.access = new Access(catalogueOf(isAnswered), clock, this.settings);
    if (inherited === null) addConfiguredUsers(this.access, proxy);
    else this.#inherit(inherited);
    const { accessLog } = proxy;
    const isLogged = accessLog.sample > 0 || accessLog.slowerThanMs !== null;
    const log = isLogged ? new AccessLog(accessLog, createLineLog(accessLog.path), clock, random) : null;
    const { slowness } = path.router.env;
    this.watch = new ProxyWatch({ clock, settings: this.settings, ids, slowness, accessLog: log });
    this.watch.isLimited = path.router.env.rates !== null;
    this.commandsOfResp = new RespWatch(this.watch);
    this.figures.push(this.commandsOfResp.figures);
    this.pause = new Pause(clock, (isPaused) => {
      this.watch.isHalted = isPaused;
    });
    this.#answer();
  }

  /** What a thread that begins now takes over. */
  get state(): InheritedState {
    return { users: usersAsText(this.access), settings: settingsNow(this.settings) };
  }

  /** What is known of commands by now. */
  commands(): CommandFigure[] {
    return this.figures.flatMap((one) => one.snapshot());
  }

  /** What is known of nodes by now. */
  nodes(): NodeFigure[] {
    return nodeFigures(this.#path.router);
  }

  /** What the near cache did by now. */
  near(): NamespaceFigures[] {
    return this.#path.near?.figures.all() ?? [];
  }

  /** Where a key would be read. */
  balanceState(key: Buffer): BalanceState {
    const { router, balance } = this.#path;
    if (balance === null || router.routes.length === 0) return NO_BALANCE;
    return balance.stateOf(key, router.routeOf(key, 0, key.length));
  }

  /** Resolves once the access log is written. */
  async close(): Promise<void> {
    await this.watch.accessLog?.close();
  }

  #inherit({ users, settings }: InheritedState): void {
    applySettings(this, settings);
    this.access.change({ kind: 'load', text: users, path: 'the main thread' });
  }

  #answer(): void {
    const { desk, access, watch } = this;
    desk.on('users', (change) => access.change(change));
    desk.on('aclLog', ({ reset }) => {
      const entries = access.log.newest(this.settings.aclLogMaxLength);
      if (reset) access.log.reset();
      return entries;
    });
    desk.on('slowLog', ({ reset }) => {
      const entries = watch.slowEntries().map(posted);
      if (reset) watch.slowLog.reset();
      return entries;
    });
    desk.on('latency', ({ reset }) => {
      for (const figures of this.figures) figures.settle();
      const events = watch.latency.all();
      if (reset === null) return events;
      watch.latency.reset(reset);
      const left = new Set(watch.latency.all());
      return events.filter((event) => !left.has(event));
    });
    desk.on('settings', (changes) => {
      applySettings(this, changes);
      watch.adjust();
      return null;
    });
    desk.on('pause', (order) => {
      this.pause.order(order);
      return null;
    });
    desk.on('commands', () => this.commands());
    desk.on('nodes', () => this.nodes());
    desk.on('purge', ({ keys, isAll }) => {
      const { near } = this.#path;
      if (isAll) near?.clear();
      else near?.purge({ keys: keys.map((key) => Buffer.from(key, 'latin1')), tags: [], prefixes: [] });
      return null;
    });
    desk.on('nearState', ({ key }) => this.#path.near?.stateOf(Buffer.from(key, 'latin1')) ?? NO_NEAR_CACHE);
    desk.on('near', () => this.near());
    desk.on('balanceState', ({ key }) => this.balanceState(Buffer.from(key, 'latin1')));
    desk.on('balance', () => this.#path.balance?.figures ?? noCounts());
    const { warmUp, shadow } = this.#path;
    if (warmUp !== null) desk.on('warmUp', () => warmUp.counts);
    if (shadow !== null) desk.on('shadow', () => shadow.counts);
    desk.on('resetStatistics', () => this.#reset());
  }

  #reset(): null {
    for (const figures of this.figures) figures.reset();
    const { router, near } = this.#path;
    resetNodeFigures(router);
    router.stats.reset();
    router.env.health.limits.reset();
    near?.figures.reset();
    this.#path.balance?.resetFigures();
    this.#path.fills?.resetFigures();
    this.#path.warmUp?.resetCounts();
    this.#path.shadow?.resetCounts();
    return null;
  }
}

/** What a user can be allowed: everything that the proxy does. */
/** Whether the proxy has the command, so that users may be given it. */
export function isAnswered({ id, name }: CommandSpec): boolean {
  return plans[id] !== undefined || name.startsWith('command|');
}

/** Buffers do not stay buffers on their way to another thread. */
function posted(entry: ReturnType<ProxyWatch['slowEntries']>[number]): SlowEntry {
  return { ...entry, args: entry.args.map((arg) => arg.latin1Slice()) };
}
