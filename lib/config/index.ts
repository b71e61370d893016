export { type Port, splitAddress } from './option.ts';
export { configFrom, type ParseOptions, type ParseResult, parseConfig } from './parse.ts';
export { configurationReference } from './reference.ts';
export type { Report, Role } from './rules.ts';
export {
  type BalanceConfig,
  type Config,
  type ControlPlaneConfig,
  configSchema,
  type NamespaceConfig,
  type NearCacheConfig,
  type NodeConfig,
  type OriginConfig,
  type ProxyConfig,
  type ShadowConfig,
  type TlsConfig,
  type UpstreamConfig,
  type WarmUpConfig,
} from './schema.ts';
export type { ConfigError } from './source.ts';
