import type { Static, TSchema } from '@sinclair/typebox';
import { group, oneOf } from './option.ts';
import { controlPlaneSchema } from './schema-control-plane.ts';
import { nodeSchema } from './schema-node.ts';
import type { OriginSettings } from './schema-origin.ts';
import { proxySchema } from './schema-proxy.ts';
import {
  balanceSchema,
  namespacesSchema,
  nearCacheSchema,
  type ownTlsSchema,
  tlsSchema,
} from './schema-shared.ts';

const root = group(
  {
    logLevel: oneOf(['trace', 'debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'The least important log lines that are written. `debug` and `trace` cost throughput.',
    }),
    tls: tlsSchema,
    node: nodeSchema,
    proxy: proxySchema,
    controlPlane: controlPlaneSchema,
    namespaces: namespacesSchema,
    nearCache: nearCacheSchema,
    balance: balanceSchema,
  },
  { description: 'Configuration of Ringside, the same file for every role.' },
);

/** JSON Schema (draft 7) of the configuration file, with defaults and descriptions; for editors and for Helm. */
export const configSchema: typeof root = Object.freeze({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Ringside configuration',
  ...root,
});

type Frozen<T> = T extends (infer U)[]
  ? readonly Frozen<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** A whole configuration: every option present, sizes in bytes, deeply frozen. */
export type Config = Omit<Frozen<Static<typeof configSchema>>, 'namespaces'> & {
  readonly namespaces: readonly NamespaceConfig[];
};
export type NodeConfig = Config['node'];
export type ProxyConfig = Config['proxy'];
export type ControlPlaneConfig = Config['controlPlane'];
export type TlsConfig = Frozen<Static<typeof ownTlsSchema>>;
export type BalanceConfig = Config['balance'];
export type NearCacheConfig = Config['nearCache'];
export type WarmUpConfig = NonNullable<ProxyConfig['warmUp']>;
export type ShadowConfig = NonNullable<ProxyConfig['shadow']>;
export type UpstreamConfig = ProxyConfig['upstreams'][number];
type RawNamespace = Frozen<Static<typeof namespacesSchema>>[number];
export type OriginConfig = Frozen<OriginSettings>;
/** `ack` and `ackTimeoutMs` are filled in from the node's where the namespace leaves them out; an origin is a group, also where it was given as a URL. */
export type NamespaceConfig = Omit<RawNamespace, 'ack' | 'ackTimeoutMs' | 'origin'> & {
  readonly origin: OriginConfig | null;
  readonly ack: NonNullable<RawNamespace['ack']>;
  readonly ackTimeoutMs: number;
};

/** One place in a configuration: keys and list positions from the top. */
export type Path = readonly (string | number)[];

/** A schema node as walked by the steps of parsing: plain JSON Schema and our own keywords. */
export interface Option extends TSchema {
  type?: string;
  properties?: Record<string, Option>;
  items?: Option;
  anyOf?: Option[];
  required?: string[];
  default?: unknown;
  description?: string;
  unit?: string;
  formula?: string;
  expects?: string;
  kind?: 'size' | 'port';
  minimum?: number;
  maximum?: number;
}

/** The group of options in `option`: itself, or the one among its alternatives. Undefined when it holds no group. */
export function groupOf(option: Option): Option | undefined {
  return option.properties ? option : option.anyOf?.find((alternative) => alternative.properties);
}

/** The option one step below `option`; undefined when there is none of that key. */
export function childOption(option: Option, key: string | number): Option | undefined {
  if (option.items && /^[0-9]+$/.test(String(key))) return option.items;
  const properties = groupOf(option)?.properties;
  return properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

/** The option at `path`; undefined when there is none. */
export function optionAt(path: Path): Option | undefined {
  let option: Option | undefined = configSchema as Option;
  for (const key of path) option = option && childOption(option, key);
  return option;
}
