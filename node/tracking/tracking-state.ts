/** How keys are tracked for one client (CLIENT TRACKING). */
export interface TrackingState {
  /** Id of the client that the invalidations go to; 0: the client itself. */
  redirect: number;
  /** The client that they should go to is gone. */
  isRedirectBroken: boolean;
  /** Tells of every key that begins with one of `prefixes`, read or not. */
  readonly isBroadcast: boolean;
  readonly prefixes: Set<string>;
  optIn: boolean;
  optOut: boolean;
  /** Not of keys that the client itself changes. */
  noLoop: boolean;
  /** CLIENT CACHING was called right before. */
  isCachingGiven: boolean;
}
