/** Settings of a running proxy that CONFIG SET changes; each thread has a copy. */
export class ProxySettings {
  /** Microseconds from which on a command goes into the slow log; negative: never. */
  slowlogSlowerThanUs = 10_000;
  slowlogMaxLength = 128;
  /** Milliseconds from which on the latency monitor takes note; 0: never. */
  latencyThresholdMs = 0;
  /** Whether how long commands take is counted. */
  latencyTracking = true;
  aclLogMaxLength = 128;
  /** What ACL SETUSER gives a new user. */
  newUsersHaveAllChannels = false;
  /** Milliseconds of silence after which a client is closed; 0: never. */
  idleTimeoutMs = 0;
  /** The default user's password as it was set; empty: none. */
  requirePass = '';
}
