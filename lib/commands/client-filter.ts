import type { CommandArgs } from './texts.ts';

/** Arguments that can be read as numbers and words; the RESP parser's `Args` is one. */
export interface ReadableArgs extends CommandArgs {
  utf8(i: number): string;
  integer(i: number): number | null;
  equalsIgnoreCase(i: number, upperAscii: string): boolean;
}

const types = ['normal', 'master', 'replica', 'pubsub'] as const;

/** What kind of client it is. */
export type ClientType = (typeof types)[number];

const SYNTAX_ERROR = 'ERR syntax error';

/** What CLIENT KILL picks; null: any. */
export interface ClientFilter {
  readonly id: number | null;
  readonly address: string | null;
  readonly localAddress: string | null;
  readonly type: ClientType | null;
  /** One character a byte. */
  readonly user: string | null;
  readonly skipMe: boolean;
}

type Draft = { -readonly [K in keyof ClientFilter]: ClientFilter[K] };

/** What a filter looks at. */
export interface FilteredClient {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly type: ClientType;
  readonly user: string | null;
}

/** The type that argument `i` names; null for none. Redis still knows the old name of a replica. */
export function clientTypeOf(args: CommandArgs, i: number): ClientType | null {
  const name = args.latin1(i).toLowerCase();
  return types.find((type) => type === (name === 'slave' ? 'replica' : name)) ?? null;
}

/** Redis's text for a type that there is none of. */
export function unknownClientType(args: ReadableArgs, i: number): string {
  return `ERR Unknown client type '${args.utf8(i)}'`;
}

/** The filter of CLIENT KILL from argument 2 on, or the text of an error. `isUser` knows who there is. */
export function parseClientFilter(
  args: ReadableArgs,
  isUser: (name: string) => boolean,
): ClientFilter | string {
  const filter: Draft = {
    id: null,
    address: null,
    localAddress: null,
    type: null,
    user: null,
    skipMe: true,
  };
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) return SYNTAX_ERROR;
    const error = parseOption(args, i, filter, isUser);
    if (error !== null) return error;
  }
  return filter;
}

function parseOption(
  args: ReadableArgs,
  i: number,
  filter: Draft,
  isUser: (name: string) => boolean,
): string | null {
  const value = args.utf8(i + 1);
  if (args.equalsIgnoreCase(i, 'ID')) {
    const id = args.integer(i + 1);
    if (id === null || id < 1) return 'ERR client-id should be greater than 0';
    filter.id = id;
  } else if (args.equalsIgnoreCase(i, 'TYPE')) {
    filter.type = clientTypeOf(args, i + 1);
    if (filter.type === null) return unknownClientType(args, i + 1);
  } else if (args.equalsIgnoreCase(i, 'ADDR')) filter.address = value;
  else if (args.equalsIgnoreCase(i, 'LADDR')) filter.localAddress = value;
  else if (args.equalsIgnoreCase(i, 'USER')) {
    filter.user = args.latin1(i + 1);
    if (!isUser(filter.user)) return `ERR No such user '${value}'`;
  } else if (args.equalsIgnoreCase(i, 'SKIPME') && /^(yes|no)$/i.test(value)) {
    filter.skipMe = value.toLowerCase() === 'yes';
  } else {
    return SYNTAX_ERROR;
  }
  return null;
}

/** Whether the filter picks the client; `me` is the id of who asks. */
export function isPicked(filter: ClientFilter, client: FilteredClient, me: number): boolean {
  return (
    (filter.id === null || client.id === filter.id) &&
    (filter.address === null || client.address === filter.address) &&
    (filter.localAddress === null || client.localAddress === filter.localAddress) &&
    (filter.type === null || client.type === filter.type) &&
    (filter.user === null || client.user === filter.user) &&
    !(filter.skipMe && client.id === me)
  );
}
