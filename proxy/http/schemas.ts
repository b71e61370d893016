import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { type ErrorCode, errorCatalogue } from '../../lib/base/index.ts';
import { MAX_PURGED_TAGS, MAX_TAG_BYTES } from '../../lib/commands/index.ts';
import { MAX_MULTI_KEYS, MAX_PURGED_PREFIXES } from '../listener/index.ts';

/*
 * What requests may look like and what answers do: requests are validated against these, and the OpenAPI document is made of them.
 * `x-expects` ends the sentence that tells a client what was wrong.
 */

/** Whole seconds from 1 to 10^12. */
const SECONDS = '[1-9][0-9]{0,11}|1000000000000';
const ENTITY_TAG = '(W/)?"[^"]*"';
const ENTITY_TAGS = `^(\\*|${ENTITY_TAG}(\\s*,\\s*${ENTITY_TAG})*)$`;

function header(pattern: string, expects: string, description: string): TSchema {
  return Type.String({ pattern, description, 'x-expects': expects });
}

const ifMatch = header(
  ENTITY_TAGS,
  '`*` or an ETag in double quotes',
  'Only if the value has this ETag, or with `*` if there is one.',
);
const conditions = {
  'if-match': ifMatch,
  'x-fencing-token': header(
    '^[0-9]{1,20}$',
    'a number of 64 bits',
    'Only if the fence of this key, or the one named by `X-Fence-Name`, has seen no higher token.',
  ),
  'x-fence-name': header('^.{1,512}$', 'a name of 1 to 512 bytes', 'Name of the fence; by default the key.'),
  'idempotency-key': header(
    '^.{1,255}$',
    'a text of 1 to 255 bytes',
    'The same request with the same key here is done once, and answered alike for 10 minutes.',
  ),
};

/** Request headers of the operations on one key. */
export const headersOf = {
  get: {
    'if-none-match': header(
      ENTITY_TAGS,
      '`*` or ETags in double quotes',
      '304 when the value has one of these ETags.',
    ),
    'if-match': ifMatch,
  },
  put: {
    ...conditions,
    'if-none-match': header('^\\*$', '`*` (ETags are for reads)', 'Only if the key does not exist.'),
    'x-ttl-seconds': header(
      `^(${SECONDS})$`,
      'a whole number from 1 to 1000000000000',
      'Lifetime of the value; without it that of the namespace, or none.',
    ),
    'x-soft-ttl-seconds': header(
      `^(0|${SECONDS})$`,
      'a whole number from 0 to 1000000000000',
      'Seconds after which the value is stale: still served, as `X-Cache: STALE`.',
    ),
    'x-tags': header('^', 'a list', 'Names to purge the value by, with commas between; at most 64.'),
    'x-lease-token': header('^.{1,64}$', 'a token', 'The lease under which the value was made.'),
  },
  delete: conditions,
  incr: conditions,
} as const satisfies Record<string, TProperties>;

const TEXTS = 'a non-empty string';
const encoding = Type.Optional(
  Type.Union([Type.Literal('utf8'), Type.Literal('base64')], {
    description: 'How keys, tags, prefixes and values are written; utf8 unless given.',
    'x-expects': '"utf8" or "base64"',
  }),
);

function texts(maxItems: number, what: string, minItems = 0) {
  const text = Type.String({ minLength: 1, 'x-expects': TEXTS });
  const range = minItems === 0 ? 'at most' : `${minItems} to`;
  return Type.Array(text, { minItems, maxItems, 'x-expects': `a list of ${range} ${maxItems} ${what}` });
}

/** Bodies of requests. */
export const bodies = {
  incr: Type.Object(
    {
      by: Type.Optional(
        Type.Union(
          [
            Type.String({ pattern: '^-?[0-9]{1,19}$' }),
            Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
          ],
          {
            description: 'What to add, a signed number of 64 bits; 1 unless given.',
            'x-expects': 'a 64-bit whole number, as a string (or a number within 2^53)',
          },
        ),
      ),
    },
    { additionalProperties: false, 'x-expects': 'a JSON object' },
  ),
  mget: Type.Object(
    { keys: texts(MAX_MULTI_KEYS, 'keys', 1), encoding },
    { additionalProperties: false, 'x-expects': 'a JSON object' },
  ),
  purge: Type.Object(
    {
      keys: Type.Optional(texts(MAX_MULTI_KEYS, 'keys')),
      tags: Type.Optional(texts(MAX_PURGED_TAGS, `tags of 1 to ${MAX_TAG_BYTES} bytes`)),
      prefixes: Type.Optional(texts(MAX_PURGED_PREFIXES, 'prefixes')),
      encoding,
    },
    { additionalProperties: false, 'x-expects': 'a JSON object' },
  ),
};

/** Parameters behind `?`. */
export const queries = {
  get: Type.Object({
    lease: Type.Optional(
      Type.Union([Type.Literal('0'), Type.Literal('1')], {
        description: '1 asks for the right to fill what is missing, or to refresh what is stale.',
        'x-expects': '0 or 1',
      }),
    ),
  }),
};

/** Where the key stands in the path. */
export const keyParams = Type.Object({
  key: Type.String({
    minLength: 1,
    description:
      'One or more bytes, percent-encoded into one segment: `%2F` for `/`, `%FF` for a byte that is no text.',
  }),
});

/** What went wrong, by a code of the catalogue; shared by all answers. */
export const errorSchema = Type.Object(
  {
    code: Type.String({ enum: Object.values(errorCatalogue).map(({ httpCode }) => httpCode) }),
    message: Type.String(),
  },
  { $id: 'Error', additionalProperties: false },
);

const errorObject = Type.Unsafe({ $ref: 'Error#' });

const errorBody = Type.Object({ error: errorObject }, { additionalProperties: false });

/** Answers' headers. */
export const answerHeaders = {
  etag: Type.String({ pattern: '^"[0-9]+"$', description: 'Version of the value. Not with engine redis.' }),
  'x-cache': Type.String({
    enum: ['HIT-L1', 'HIT', 'STALE', 'MISS'],
    description:
      "HIT-L1: from the proxy's own memory. STALE: past its soft lifetime, or from a follower since the leader could not be reached. MISS with a value: it has just come from the origin of its namespace.",
  }),
  'x-ttl-seconds': Type.String({
    pattern: '^[1-9][0-9]*$',
    description: 'Remaining lifetime, rounded up; absent when it has none.',
  }),
  'x-soft-ttl-seconds': Type.String({
    pattern: '^[0-9]+$',
    description: 'Seconds until the value is stale, rounded up; absent when it never is.',
  }),
  age: Type.String({
    pattern: '^[0-9]+$',
    description: 'Seconds that the value spent in a cache of the proxy.',
  }),
  'x-lease-token': Type.String({
    description: 'Of the lease that this caller got with `?lease=1`: to be sent with the value it makes.',
  }),
  'x-lease-milliseconds': Type.String({
    pattern: '^[0-9]+$',
    description:
      'With `?lease=1`, of what is missing or stale: how long the lease runs; without a token, how long somebody else may take to fill the key, 0 when nobody is about to.',
  }),
} satisfies TProperties;

type HeaderName = keyof typeof answerHeaders;

/** An answer of bytes. */
export function bytesAnswer(description: string, ...headers: HeaderName[]) {
  return {
    description,
    headers: pick(headers),
    content: {
      'application/octet-stream': { schema: Type.Unknown({ description: 'The bytes of the value.' }) },
    },
  };
}

/** An answer without a body. */
export function emptyAnswer(description: string, ...headers: HeaderName[]) {
  return { type: 'null', description, headers: pick(headers) };
}

/** An answer of JSON. */
export function jsonAnswer(description: string, schema: TSchema, ...headers: HeaderName[]) {
  return { description, headers: pick(headers), content: { 'application/json': { schema } } };
}

function pick(names: readonly HeaderName[]): TProperties {
  return Object.fromEntries(names.map((name) => [name, answerHeaders[name]]));
}

/** Errors that any request may be answered with. */
const EVERYWHERE: readonly ErrorCode[] = [
  'bad_request',
  'unauthorized',
  'overloaded',
  'rate_limited',
  'shard_down',
  'stale_ring',
  'read_only',
  'loading',
  'timeout',
  'not_implemented',
  'unavailable',
  'internal',
];

/** Those and these, by status; each with the codes that it stands for. Of headers an error may have only those of a miss. */
export function errorAnswers(
  codes: readonly ErrorCode[],
  headersByStatus: Readonly<Record<number, readonly HeaderName[]>> = {},
): Record<number, object> {
  const byStatus = Map.groupBy([...EVERYWHERE, ...codes], (code) => errorCatalogue[code].http);
  return Object.fromEntries(
    Array.from(byStatus, ([status, own]) => {
      const description = own.map((code) => `\`${errorCatalogue[code].httpCode}\``).join(', ');
      return [status, jsonAnswer(description, errorBody, ...(headersByStatus[status] ?? []))];
    }),
  );
}

/** Errors of every write. */
export const WRITE_ERRORS: readonly ErrorCode[] = [
  'write_unknown',
  'no_replicas',
  'out_of_memory',
  'too_large',
  'precondition_failed',
  'fenced',
  'idempotency_key_reused',
];

const mgetResult = Type.Object(
  {
    key: Type.String({ description: 'As it was asked for.' }),
    found: Type.Optional(Type.Boolean({ description: 'Absent when there is an error.' })),
    value: Type.Optional(Type.String()),
    encoding: Type.Optional(
      Type.Literal('base64', { description: 'The value is no UTF-8, and so written otherwise.' }),
    ),
    version: Type.Optional(Type.String({ pattern: '^[0-9]+$', description: 'Its ETag without the quotes.' })),
    ttlMs: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Remaining lifetime; absent when it has none.' }),
    ),
    stale: Type.Optional(Type.Literal(true, { description: 'As `X-Cache: STALE`.' })),
    error: Type.Optional(errorObject),
  },
  { additionalProperties: false },
);

/** Bodies of answers. */
export const answers = {
  incr: Type.Object(
    { value: Type.String({ pattern: '^-?[0-9]+$', description: 'The sum.' }) },
    { additionalProperties: false },
  ),
  mget: Type.Object({ results: Type.Array(mgetResult) }, { additionalProperties: false }),
};
