import { readyLine } from '../ready-line.ts';
import type { TlsIdentity } from './certificates.ts';
import type { FleetRequest } from './plan.ts';
import type { StartedMember } from './readiness.ts';

/** What the welcome mentions besides the endpoints. */
export interface WelcomeDetails {
  readonly request: FleetRequest;
  readonly folder: string;
  readonly isTemporary: boolean;
  readonly json?: boolean;
  readonly identity?: TlsIdentity;
}

/** The `ready` line with all endpoints, then the same for people, with three commands to try; as JSON, the `ready` line alone. */
export function renderWelcome(started: readonly StartedMember[], details: WelcomeDetails): string {
  const endpoints = endpointsOf(started);
  const { request, folder, isTemporary } = details;
  if (details.json) return readyLine(endpoints, true);
  const rows = Object.entries(endpoints).map(([name, address]) => `  ${name.padEnd(20)} ${address}\n`);
  const { shards, followers, proxies } = request;
  const counts = `${counted(shards, 'shard')}, each a leader and ${counted(followers, 'follower')}; ${counted(proxies, 'proxy', 'proxies')}`;
  const state = `state in ${folder}${isTemporary ? ', removed at the end' : ''}`;
  const commands = commandsToTry(endpoints, details.identity).map((command) => `  ${command}\n`);
  return [
    readyLine(endpoints),
    '\n',
    ...rows,
    `\n  ${counts}\n  ${state}\n`,
    '\nTry:\n',
    ...commands,
    '\nCtrl-C ends all of it.\n',
  ].join('');
}

/** Endpoints of the first proxy under their protocol's name, of the others as `proxy-1.resp`, and the control plane's. */
function endpointsOf(started: readonly StartedMember[]): Record<string, string> {
  const endpoints: Record<string, string> = {};
  for (const { member, listeners } of started) {
    if (member.role === 'node') continue;
    const prefix =
      member.role === 'control-plane' ? 'control-plane.' : member.name === 'proxy-0' ? '' : `${member.name}.`;
    for (const [protocol, address] of Object.entries(listeners)) endpoints[prefix + protocol] = address;
  }
  // Clients come first.
  const [plane, proxies] = [true, false].map((isPlane) =>
    Object.entries(endpoints).filter(([name]) => name.startsWith('control-plane.') === isPlane),
  );
  return Object.fromEntries([...proxies, ...plane]);
}

function commandsToTry(endpoints: Readonly<Record<string, string>>, identity?: TlsIdentity): string[] {
  const files = identity && { ca: identity.ca, cert: identity.cert, key: identity.key };
  const redisTls = files ? ` --tls --cacert ${files.ca} --cert ${files.cert} --key ${files.key}` : '';
  const curlTls = files ? ` --cacert ${files.ca} --cert ${files.cert} --key ${files.key}` : '';
  const scheme = files ? 'https' : 'http';
  const { resp, http } = endpoints;
  const plane = endpoints['control-plane.http'];
  const isDefaultPlane = plane === '127.0.0.1:7400' && !files;
  return [
    ...(resp ? [`redis-cli -p ${resp.split(':').at(-1)}${redisTls} set greeting hello`] : []),
    ...(http ? [`curl${curlTls} ${scheme}://${http}/v1/key/greeting`] : []),
    ...(plane
      ? [`bin/ringside ctl status${isDefaultPlane ? '' : ` --control-plane ${scheme}://${plane}${curlTls}`}`]
      : []),
  ];
}

function counted(n: number, one: string, many = `${one}s`): string {
  return n === 1 ? `1 ${one}` : `${n === 0 ? 'no' : n} ${many}`;
}
