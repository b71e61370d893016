import type { TlsMaterial } from '../../lib/net/index.ts';
import type { DataPathSettings } from './settings.ts';
import type { UpstreamNode } from './topology.ts';

/** What a new connection to a node is for. */
export interface ConnectionPurpose {
  /** RESP version of its replies. */
  readonly protocol: 2 | 3;
  /** The database its commands are about. */
  readonly database: number;
}

/**
 * What is said on a new connection before anything else: AUTH, HELLO, RS.EPOCH and SELECT where needed, then PING, the answer to which
 * tells that the node is there. The epoch announced is the node's at this moment.
 */
export function greetingOf(
  node: UpstreamNode,
  { protocol, database }: ConnectionPurpose,
  { nodePassword }: DataPathSettings,
): string[][] {
  const commands: string[][] = [];
  const login = node.access === undefined ? fleetLogin(nodePassword) : node.access.login;
  if (login !== null) commands.push(['AUTH', ...login]);
  if (protocol === 3) commands.push(['HELLO', '3']);
  if (node.epoch !== null) commands.push(['RS.EPOCH', node.shard, node.epoch]);
  if (database !== 0) commands.push(['SELECT', String(database)]);
  commands.push(['PING']);
  return commands;
}

function fleetLogin(nodePassword: string | null): readonly string[] | null {
  return nodePassword === null ? null : [nodePassword];
}

/** TLS towards this node; undefined: plain TCP. */
export function tlsTo(node: UpstreamNode, fleetTls: TlsMaterial | undefined): TlsMaterial | undefined {
  return node.access?.usesTls === false ? undefined : fleetTls;
}

/** What a node that is there answers to PING though it cannot do everything now. */
const IS_THERE = /^(?:LOADING|MISCONF) /;

/** Whether an error to a command of the greeting, by its text, says that the node cannot be used. */
export function isRefused(command: string, text: string): boolean {
  // A node behind the ring tells each write itself, and asks the control plane meanwhile.
  return command !== 'RS.EPOCH' && !(command === 'PING' && IS_THERE.test(text));
}
