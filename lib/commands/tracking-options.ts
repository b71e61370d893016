import type { ReplySink } from '../base/index.ts';
import type { ReadableArgs } from './client-filter.ts';

const SYNTAX_ERROR = 'ERR syntax error';
const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
const OTHER_MODE =
  'before disabling tracking for this client, and then re-enabling it with a different mode.';

/** How keys are tracked for one client (CLIENT TRACKING). */
export interface TrackingState {
  /** Id of the client that the invalidations go to; 0: the client itself. */
  redirect: number;
  /** The client that they should go to is gone. */
  isRedirectBroken: boolean;
  /** Tells of every key that begins with one of `prefixes`, read or not. */
  readonly isBroadcast: boolean;
  /** One character a byte. */
  readonly prefixes: Set<string>;
  optIn: boolean;
  optOut: boolean;
  /** Not of keys that the client itself changes. */
  noLoop: boolean;
  /** CLIENT CACHING was called right before. */
  isCachingGiven: boolean;
}

/** What CLIENT TRACKING asks for; its prefixes as they came. */
interface Wanted {
  readonly state: TrackingState;
  readonly prefixes: readonly string[];
}

/**
 * What CLIENT TRACKING asks for: a state to be put in the place of `current` (whose prefixes are not in it), `off`, or the text of an error.
 * `hasClient` knows who is connected.
 */
export function parseTracking(
  args: ReadableArgs,
  current: TrackingState | null,
  hasClient: (id: number) => boolean,
): { readonly state: TrackingState } | 'off' | { readonly error: string } {
  const wanted = parseOptions(args, hasClient);
  if (typeof wanted === 'string') return { error: wanted };
  if (args.equalsIgnoreCase(2, 'OFF')) return 'off';
  if (!args.equalsIgnoreCase(2, 'ON')) return { error: SYNTAX_ERROR };
  const problem = conflict(wanted, current);
  if (problem !== null) return { error: problem };
  const { state, prefixes } = wanted;
  for (const prefix of prefixes) state.prefixes.add(prefix);
  if (state.isBroadcast && prefixes.length === 0) state.prefixes.add('');
  return { state };
}

/** Reads the options from argument 3 on; the text of an error. */
function parseOptions(args: ReadableArgs, hasClient: (id: number) => boolean): Wanted | string {
  const prefixes: string[] = [];
  const state = {
    redirect: 0,
    isRedirectBroken: false,
    isBroadcast: false,
    prefixes: new Set<string>(),
    optIn: false,
    optOut: false,
    noLoop: false,
    isCachingGiven: false,
  };
  for (let i = 3; i < args.count; i++) {
    const hasMore = i + 1 < args.count;
    if (args.equalsIgnoreCase(i, 'REDIRECT') && hasMore) {
      if (state.redirect !== 0) return 'ERR A client can only redirect to a single other client';
      const id = args.integer(++i);
      if (id === null) return NOT_AN_INTEGER;
      if (!hasClient(id)) return 'ERR The client ID you want redirect to does not exist';
      state.redirect = id;
    } else if (args.equalsIgnoreCase(i, 'PREFIX') && hasMore) prefixes.push(args.latin1(++i));
    else if (args.equalsIgnoreCase(i, 'BCAST')) state.isBroadcast = true;
    else if (args.equalsIgnoreCase(i, 'OPTIN')) state.optIn = true;
    else if (args.equalsIgnoreCase(i, 'OPTOUT')) state.optOut = true;
    else if (args.equalsIgnoreCase(i, 'NOLOOP')) state.noLoop = true;
    else return SYNTAX_ERROR;
  }
  return { state, prefixes };
}

/** Why these options go neither together nor with what is in force; null when they do. */
function conflict({ state: wanted, prefixes }: Wanted, current: TrackingState | null): string | null {
  if (!wanted.isBroadcast && prefixes.length > 0) {
    return 'ERR PREFIX option requires BCAST mode to be enabled';
  }
  if (current !== null && current.isBroadcast !== wanted.isBroadcast) {
    return `ERR You can't switch BCAST mode on/off ${OTHER_MODE}`;
  }
  if (wanted.isBroadcast && (wanted.optIn || wanted.optOut)) {
    return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  }
  if (wanted.optIn && wanted.optOut) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if ((wanted.optIn && current?.optOut) || (wanted.optOut && current?.optIn)) {
    return `ERR You can't switch OPTIN/OPTOUT mode ${OTHER_MODE}`;
  }
  return wanted.isBroadcast ? collision(prefixes, current) : null;
}

/** No key may begin with two prefixes of one client. */
function collision(prefixes: readonly string[], current: TrackingState | null): string | null {
  const overlaps = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  for (const [i, prefix] of prefixes.entries()) {
    for (const existing of current?.prefixes ?? []) {
      if (!overlaps(existing, prefix)) continue;
      return `ERR Prefix '${prefix}' overlaps with an existing prefix '${existing}'. Prefixes for a single client must not overlap.`;
    }
    for (const other of prefixes.slice(i + 1)) {
      if (!overlaps(prefix, other)) continue;
      return `ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. Prefixes for a single client must not overlap.`;
    }
  }
  return null;
}

/** Does what CLIENT CACHING asks for; the text of an error when the client cannot have it. */
export function giveCaching(args: ReadableArgs, state: TrackingState | null): string | null {
  if (state === null)
    return 'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled';
  if (args.equalsIgnoreCase(2, 'YES')) {
    if (!state.optIn) return 'ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.';
  } else if (args.equalsIgnoreCase(2, 'NO')) {
    if (!state.optOut) return 'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.';
  } else {
    return SYNTAX_ERROR;
  }
  state.isCachingGiven = true;
  return null;
}

function flagsOf(state: TrackingState | null): string[] {
  if (state === null) return ['off'];
  const flags: [string, boolean][] = [
    ['bcast', state.isBroadcast],
    ['optin', state.optIn],
    ['caching-yes', state.optIn && state.isCachingGiven],
    ['optout', state.optOut],
    ['caching-no', state.optOut && state.isCachingGiven],
    ['noloop', state.noLoop],
    ['broken_redirect', state.isRedirectBroken],
  ];
  return ['on', ...flags.filter(([, isSet]) => isSet).map(([name]) => name)];
}

/** The reply to CLIENT TRACKINGINFO. */
export function writeTrackingInfo(state: TrackingState | null, reply: ReplySink): void {
  const flags = flagsOf(state);
  const prefixes = [...(state?.prefixes ?? [])].sort();
  reply.mapHeader(3);
  reply.bulkLatin1('flags');
  reply.setHeader(flags.length);
  for (const flag of flags) reply.bulkLatin1(flag);
  reply.bulkLatin1('redirect');
  reply.integer(state?.redirect ?? -1);
  reply.bulkLatin1('prefixes');
  reply.arrayHeader(prefixes.length);
  for (const prefix of prefixes) reply.bulkLatin1(prefix);
}
