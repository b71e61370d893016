import type { Socket } from 'node:net';
import { RespWriter } from '../../lib/codec/resp/index.ts';
import type { Metrics } from '../../lib/metrics/index.ts';
import { createServer, type ListeningServer, type TlsMaterial } from '../../lib/net/index.ts';
import type { Access } from '../access/index.ts';
import type { DataPath } from '../core/data-path.ts';
import type { NodeSettings } from '../core/node-settings.ts';
import type { Privates } from '../core/privates.ts';
import type { PubSub } from '../core/pubsub.ts';
import type { Router } from '../core/router.ts';
import { Stat } from '../core/stats.ts';
import type { WaitService } from '../core/wait.ts';
import type { Fills } from '../fill/index.ts';
import { closeLate } from '../listener/index.ts';
import type { ProxyThread } from '../thread.ts';
import type { ProxyWatch } from '../watch/proxy-watch.ts';
import type { RespWatch } from '../watch/resp-watch.ts';
import type { ProxySettings } from '../watch/settings.ts';
import type { Group } from '../workers/questions.ts';
import { answerAboutClients } from './client-answers.ts';
import { type ConnectionLimits, RespConnection } from './connection.ts';
import type { ListenerContext, ProxyInfo } from './context.ts';
import { MonitorFeed } from './monitor-feed.ts';
import { NearReads } from './near-reads.ts';
import type { Pause } from './pause.ts';
import { Runs } from './runs.ts';

const SWEEP_MS = 1000;
const OVER_LIMIT = '-OVERLOADED max number of clients reached (setting proxy.limits.maxConnections)\r\n';

/** How the RESP listener listens. */
export interface RespListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial | undefined;
  readonly reusePort: boolean;
  /** Where connections and refusals are counted. */
  readonly metrics?: Metrics;
  readonly thread: ProxyThread;
  readonly group: Group;
  readonly limits: ConnectionLimits;
  readonly maxConnections: number;
  readonly handshakeTimeoutMs: number;
  /** Milliseconds for one whole request once it has begun. */
  readonly requestTimeoutMs: number;
  /** Milliseconds for which a client may take none of its replies; 0: for ever. */
  readonly stalledReaderTimeoutMs: number;
  readonly info: ProxyInfo;
}

/** Accepts RESP clients for one worker. */
export class RespListener implements ListenerContext {
  readonly router: Router;
  readonly wait: WaitService;
  readonly privates: Privates;
  readonly pubsub: PubSub;
  readonly nodeSettings: NodeSettings;
  readonly fills: Fills | null;
  readonly nearReads: NearReads | null;
  readonly runs: Runs;
  readonly monitors: MonitorFeed;
  readonly access: Access;
  readonly settings: ProxySettings;
  readonly watch: ProxyWatch;
  readonly commands: RespWatch;
  readonly pause: Pause;
  readonly group: Group;
  readonly writer = new RespWriter();
  readonly connections = new Map<number, RespConnection>();
  readonly info: ProxyInfo;
  readonly maxHeldBytes: number;
  readonly #options: RespListenerOptions;
  readonly #sweeper: NodeJS.Timeout;
  #server: ListeningServer | null = null;

  constructor(
    { router, wait, privates, pubsub, nodeSettings, fills, near }: DataPath,
    options: RespListenerOptions,
  ) {
    this.router = router;
    this.wait = wait;
    this.privates = privates;
    this.pubsub = pubsub;
    this.nodeSettings = nodeSettings;
    this.fills = fills;
    this.info = options.info;
    this.maxHeldBytes = options.limits.maxHeldBytes;
    const { access, settings, watch, commandsOfResp, pause, desk } = options.thread;
    this.access = access;
    this.settings = settings;
    this.watch = watch;
    this.commands = commandsOfResp;
    this.nearReads = near === null ? null : new NearReads(near);
    this.runs = new Runs(router);
    this.pause = pause;
    this.group = options.group;
    const { clock, random } = router.env;
    const onChange = (isOn: boolean) => {
      watch.isMonitored = isOn;
    };
    this.monitors = new MonitorFeed({ clock, random, group: options.group, desk, onChange });
    access.clients.push(() => this.connections.values());
    answerAboutClients(desk, this.connections);
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  /** `host:port` as bound. Only after `listen`. */
  get address(): string {
    return this.#server!.address;
  }

  /** Rejects with RingsideError `port_in_use`, naming the port and `proxy.respPort`. */
  async listen(): Promise<void> {
    const { host, port, tls, reusePort, metrics, maxConnections, handshakeTimeoutMs } = this.#options;
    const { env } = this.router;
    this.#server = await createServer(
      {
        name: 'resp',
        setting: 'proxy.respPort',
        host,
        port,
        ...(tls && { tls }),
        reusePort,
        ...(metrics && { metrics }),
        maxConnections,
        handshakeTimeoutMs,
        // A client may close its side and still wait for replies.
        allowHalfOpen: true,
        sharedReads: true,
        log: env.log,
        lastWords: OVER_LIMIT,
        onRefused: () => {
          env.stats.add(Stat.connectionsRefused);
          env.health.limits.reached('proxy.limits.maxConnections', env.clock.monotonicMs(), {
            listener: 'resp',
          });
        },
      },
      (socket, peer) => this.#accept(socket, peer.address),
    );
    this.info.port = this.#server.port;
  }

  /**
   * Stops accepting, closes idle clients, lets the others finish what they have sent, and closes what is left after `graceMs`.
   */
  async close(graceMs: number): Promise<void> {
    for (const connection of this.connections.values()) connection.finish();
    await this.#server?.close(graceMs);
    // Until now it closes those who do not hang up.
    clearInterval(this.#sweeper);
  }

  closed(connection: RespConnection): void {
    this.connections.delete(connection.id);
    this.router.stats.counts[Stat.connectionsOpen] = this.connections.size;
  }

  #accept(socket: Socket, address: string): void {
    const { stats } = this.router;
    const connection = new RespConnection(
      this.#options.thread.ids.nextClient(),
      socket,
      address,
      this.#options.limits,
      this,
    );
    this.connections.set(connection.id, connection);
    stats.add(Stat.connectionsAccepted);
    stats.counts[Stat.connectionsOpen] = this.connections.size;
  }

  #sweep(): void {
    const { requestTimeoutMs, stalledReaderTimeoutMs } = this.#options;
    const patience = { requestTimeoutMs, stalledReaderTimeoutMs, idleTimeoutMs: this.settings.idleTimeoutMs };
    closeLate(this.connections.values(), patience, this.router.env);
  }
}
