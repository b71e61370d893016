import { join } from 'node:path';
import type { Config, Port } from '../../lib/config/index.ts';
import { UsageError } from '../errors.ts';

/** What `ringside dev` is to run. */
export interface FleetRequest {
  readonly portOffset: number;
  readonly shards: number;
  readonly followers: number;
  readonly proxies: number;
  readonly ack?: string;
  readonly workers?: number;
}

/** A port that a member will listen on. */
export interface PlannedPort {
  readonly host: string;
  readonly port: number;
  /** Configuration path. */
  readonly setting: string;
}

/** One process of the fleet. */
export interface Member {
  /** Name in messages and, for certificates, `role/name`. */
  readonly name: string;
  readonly role: 'control-plane' | 'node' | 'proxy';
  /** Settings it is started with, on top of the user's. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly ports: readonly PlannedPort[];
}

// Node 100's RESP port would be node 0's admin port.
const MAX_NODES = 100;
const PROXY_STRIDE = 1000;
const PROXY_PORTS = ['respPort', 'memcachedPort', 'httpPort', 'grpcPort', 'adminPort'] as const;

/**
 * The processes of a fleet on loopback: the control plane, then the nodes in order of shard (the first of each shard is the one
 * that will lead), then the proxies. Every port is that of the configuration plus the offset; node i adds i, proxy i 1000 x i.
 *
 * Throws UsageError when there is no room for that many.
 */
export function planFleet(config: Config, request: FleetRequest, dir: string): Member[] {
  const { shards, followers, proxies, portOffset } = request;
  const nodes = shards * (followers + 1);
  if (nodes > MAX_NODES) {
    throw new UsageError(
      `--shards ${shards} with --followers ${followers} are ${nodes} nodes; dev runs ${MAX_NODES} at most`,
    );
  }
  const members = [controlPlane(config, request, dir)];
  for (let i = 0; i < nodes; i++) members.push(node(config, request, dir, i));
  for (let i = 0; i < proxies; i++) members.push(proxy(config, request, dir, i));
  const highest = Math.max(...members.flatMap(({ ports }) => ports.map(({ port }) => port)));
  if (highest > 65535)
    throw new UsageError(`--port-offset ${portOffset} leads to port ${highest}; 65535 is the last`);
  return members;
}

function controlPlane({ controlPlane: c }: Config, request: FleetRequest, dir: string): Member {
  const ports = {
    httpPort: shifted(c.httpPort, request.portOffset),
    grpcPort: shifted(c.grpcPort, request.portOffset),
  };
  const settings = {
    'controlPlane.dir': join(dir, 'control-plane'),
    'controlPlane.formation': { shards: request.shards, nodesPerShard: request.followers + 1 },
  };
  return member('control-plane', 'control-plane', 'controlPlane', c.bind, ports, settings);
}

function node(config: Config, request: FleetRequest, dir: string, i: number): Member {
  const perShard = request.followers + 1;
  const shard = `shard-${Math.floor(i / perShard) + 1}`;
  const name = `${shard}-${i % perShard}`;
  const { node: n } = config;
  const ports = {
    port: shifted(n.port, request.portOffset + i),
    adminPort: shifted(n.adminPort, request.portOffset + i),
  };
  const settings = {
    'node.id': name,
    'node.shard': shard,
    'node.dir': join(dir, name),
    'node.controlPlane': grpcAddress(config, request),
    ...(request.ack !== undefined && { 'node.ack': request.ack }),
  };
  return member(name, 'node', 'node', n.bind, ports, settings);
}

function proxy(config: Config, request: FleetRequest, dir: string, i: number): Member {
  const name = `proxy-${i}`;
  const { proxy: p, node: n } = config;
  const offset = request.portOffset + PROXY_STRIDE * i;
  const ports = Object.fromEntries(PROXY_PORTS.map((key) => [key, shifted(p[key], offset)]));
  const settings = {
    'proxy.id': name,
    'proxy.dir': join(dir, name),
    'proxy.controlPlane': grpcAddress(config, request),
    ...(request.workers !== undefined && { 'proxy.workers': request.workers }),
    ...(p.nodePassword === null && n.requirePass !== null && { 'proxy.nodePassword': n.requirePass }),
  };
  return member(name, 'proxy', 'proxy', p.bind, ports, settings);
}

function member(
  name: string,
  role: Member['role'],
  section: string,
  host: string,
  ports: Readonly<Record<string, Port>>,
  settings: Readonly<Record<string, unknown>>,
): Member {
  const named = Object.entries(ports).map(([key, port]) => [`${section}.${key}`, port] as const);
  return {
    name,
    role,
    settings: { ...settings, ...Object.fromEntries(named) },
    ports: named.flatMap(([setting, port]) =>
      typeof port === 'number' && port > 0 ? [{ host, port, setting }] : [],
    ),
  };
}

function shifted(port: Port, by: number): Port {
  return typeof port === 'number' && port > 0 ? port + by : port;
}

/** Where nodes and proxies find the control plane, which every process of the fleet must know beforehand. */
function grpcAddress({ controlPlane: c }: Config, { portOffset }: FleetRequest): string {
  if (typeof c.grpcPort !== 'number')
    throw new UsageError('dev needs a number for controlPlane.grpcPort', 'config_invalid');
  const host = c.bind === '0.0.0.0' || c.bind === '::' ? '127.0.0.1' : c.bind;
  return `${host.includes(':') ? `[${host}]` : host}:${c.grpcPort + portOffset}`;
}
