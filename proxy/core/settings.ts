import type { NamespaceMatcher } from './namespace-rules.ts';

/** What the data path is told by the configuration, in the form it needs. All of it is per worker. */
export interface DataPathSettings {
  /** Deadline of one command, retries included. */
  readonly operationTimeoutMs: number;
  /** How long a read waits for the leader before a follower is asked. */
  readonly readTimeoutMs: number;
  /** How long opening a connection to a node (and its greeting) may take. */
  readonly connectTimeoutMs: number;
  /** Commands waiting for one node; further ones are answered OVERLOADED. */
  readonly maxInFlightPerShard: number;
  /** Connections to one node for databases other than 0. */
  readonly maxDatabaseLinksPerNode: number;
  /** Connections to one node that one client each has for itself. */
  readonly maxPrivateConnectionsPerNode: number;
  /** How long what is written to the gutter lives. */
  readonly gutterTtlMs: number;
  /** Password given to the nodes, or null. */
  readonly nodePassword: string | null;
  /** Rules by the prefix of the key. */
  readonly namespaces: NamespaceMatcher;
}
