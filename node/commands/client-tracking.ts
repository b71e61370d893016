import type { Args, RespWriter } from '../../lib/codec/resp/index.ts';
import type { TrackingState } from '../tracking/tracking-state.ts';
import { type CommandContext, type CommandHandlers, NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';

const OTHER_MODE =
  'before disabling tracking for this client, and then re-enabling it with a different mode.';

/** What CLIENT TRACKING asks for; its prefixes as they came. */
interface Wanted {
  readonly state: TrackingState;
  readonly prefixes: readonly string[];
}

/** Reads the options from argument 3 on; the text of an error. */
function parseOptions({ node }: CommandContext, args: Args): Wanted | string {
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
      if (!node.clients.get(id)) return 'ERR The client ID you want redirect to does not exist';
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

function tracking(context: CommandContext, args: Args, reply: RespWriter) {
  const { client, node } = context;
  const wanted = parseOptions(context, args);
  if (typeof wanted === 'string') return reply.error(wanted);
  if (args.equalsIgnoreCase(2, 'ON')) {
    const problem = conflict(wanted, client.tracking);
    if (problem !== null) return reply.error(problem);
    const { state, prefixes } = wanted;
    for (const prefix of prefixes) state.prefixes.add(prefix);
    if (state.isBroadcast && prefixes.length === 0) state.prefixes.add('');
    node.observers.tracking.enable(client, state);
  } else if (args.equalsIgnoreCase(2, 'OFF')) {
    node.observers.tracking.disable(client);
  } else {
    return reply.error(SYNTAX_ERROR);
  }
  reply.ok();
}

function caching({ client }: CommandContext, args: Args, reply: RespWriter) {
  const state = client.tracking;
  if (state === null) {
    return reply.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    );
  }
  if (args.equalsIgnoreCase(2, 'YES')) {
    if (!state.optIn) {
      return reply.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
    }
  } else if (args.equalsIgnoreCase(2, 'NO')) {
    if (!state.optOut) {
      return reply.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
    }
  } else {
    return reply.error(SYNTAX_ERROR);
  }
  state.isCachingGiven = true;
  reply.ok();
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

function trackingInfo({ client }: CommandContext, _args: Args, reply: RespWriter) {
  const state = client.tracking;
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

/** CLIENT TRACKING and what belongs to it. */
export const trackingCommands: CommandHandlers = {
  'CLIENT|TRACKING': tracking,
  'CLIENT|CACHING': caching,
  'CLIENT|GETREDIR': ({ client }, _args, reply) => reply.integer(client.tracking?.redirect ?? -1),
  'CLIENT|TRACKINGINFO': trackingInfo,
};
