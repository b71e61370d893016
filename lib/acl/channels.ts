import type { AclArgs, AclCommand } from './catalogue.ts';

/** Which arguments of a command are channels that somebody must be allowed to use. */
export interface ChannelRange {
  readonly from: number;
  /** Behind the last. */
  readonly to: number;
  readonly arePatterns: boolean;
}

const NONE: ChannelRange = { from: 0, to: 0, arePatterns: false };

/** The channels of a command whose name is argument `first`. Who leaves a channel needs no permission. */
export function channelsOf(spec: AclCommand, args: AclArgs, first: number): ChannelRange {
  switch (spec.name) {
    case 'publish':
    case 'spublish':
      return { from: first + 1, to: first + 2, arePatterns: false };
    case 'subscribe':
    case 'ssubscribe':
      return { from: first + 1, to: args.count, arePatterns: false };
    case 'psubscribe':
      return { from: first + 1, to: args.count, arePatterns: true };
    default:
      return NONE;
  }
}
