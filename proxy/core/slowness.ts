/** What a thread takes for slow; whoever watches commands sets it. */
export interface Slowness {
  /** Commands that have taken so many milliseconds are told to their sinks before they are answered; Infinity: none is. */
  thresholdMs: number;
}
