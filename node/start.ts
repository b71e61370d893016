import type { Config } from '../lib/config/index.ts';
import { EXPIRY_CYCLE_MS, runExpiryCycle } from './active-expiry.ts';
import { buildNode, type NodeDeps, type NodeParts } from './node.ts';

const IDLE_CHECK_MS = 1000;
/** What a closing node gives its clients to read their last replies. */
const CLOSE_GRACE_MS = 500;

/** A node that runs. */
export interface RunningNode {
  /** `host:port` of each listener: `resp`, and `admin` when it has one. */
  readonly listeners: Readonly<Record<string, string>>;
  /** RESP, as `host:port`. */
  readonly address: string;
  /** Admin HTTP, as `host:port`; empty without. */
  readonly admin: string;
  /** RESP port. */
  readonly port: number;
  /** Stops accepting, lets clients have their last replies, and ends. */
  close(): Promise<void>;
}

/**
 * Starts a node. Resolves once it listens. Rejects with RingsideError `port_in_use` or `config_invalid`.
 */
export async function startNode(config: Config, deps: NodeDeps): Promise<RunningNode> {
  const parts = buildNode(config, deps);
  const listening = await parts.resp.listen();
  parts.services.shard.leads = true;
  parts.services.shard.complete = true;
  const timers = startTimers(parts);
  return {
    listeners: { resp: listening.address },
    address: listening.address,
    admin: '',
    port: listening.port,
    async close() {
      for (const timer of timers) clearInterval(timer);
      await parts.resp.close(CLOSE_GRACE_MS);
      parts.tls?.close();
    },
  };
}

function startTimers({ config, services, keyspace, resp }: NodeParts): NodeJS.Timeout[] {
  const { pingMs, timeoutMs } = config.node.replication;
  const { followers, clock } = services;
  return [
    setInterval(() => {
      if (runExpiryCycle(keyspace, clock) > 0) followers.wake();
    }, EXPIRY_CYCLE_MS),
    setInterval(() => followers.askForLease(), pingMs),
    setInterval(() => resp.closeIdle(timeoutMs), IDLE_CHECK_MS),
  ];
}
