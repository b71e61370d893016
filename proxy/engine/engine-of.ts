import type { Config, UpstreamConfig } from '../../lib/config/index.ts';
import type { Engine, NodeAccess } from '../core/topology.ts';

/** What a shard of a fixed ring is. */
export function engineOf(upstream: UpstreamConfig, proxy: Pick<Config['proxy'], 'engine'>): Engine {
  return upstream.engine ?? proxy.engine;
}

/** How its nodes are entered. */
export function accessOf(
  { username, password, tls }: UpstreamConfig,
  { nodePassword }: Pick<Config['proxy'], 'nodePassword'>,
): NodeAccess {
  const usesTls = tls === 'inherit';
  if (password !== null) return { login: loginOf(username, password), usesTls };
  return { login: nodePassword === null ? null : [nodePassword], usesTls };
}

/** Arguments of AUTH. */
export function loginOf(username: string | null, password: string): readonly string[] {
  return username === null ? [password] : [username, password];
}
