import type { Static } from '@sinclair/typebox';
import { decimal, group, milliseconds, ratio, size, text, typed, whole } from './option.ts';

const url = {
  maxLength: 2048,
  pattern: '^https?://[^/?#\\s{}@]+/[^#\\s{}]*\\{key\\}[^#\\s{}]*$',
  unit: 'URL',
  expects: 'an `http://` or `https://` URL whose path or query holds `{key}` once',
  description:
    'Where a value is fetched from: `{key}` stands for the key, every byte but letters, digits, `-`, `_`, `.` and `~` as `%XX`.',
};

const breaker = group(
  {
    consecutiveFailures: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'requests',
      default: 5,
      description: 'So many failures in a row open the breaker.',
    }),
    failureRatio: ratio({
      default: 0.5,
      formula: 'failures / requests of the last windowMs >= failureRatio, once there are minimumRequests',
      description: 'It opens too when this part of the requests of the last `windowMs` failed.',
    }),
    minimumRequests: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'requests',
      default: 20,
      description: 'Of fewer requests no ratio is taken.',
    }),
    windowMs: milliseconds({
      minimum: 100,
      maximum: 3_600_000,
      default: 10_000,
      description: 'How far back the ratio looks.',
    }),
    openMs: milliseconds({
      minimum: 10,
      maximum: 3_600_000,
      default: 1000,
      formula: 'openMs <= maxOpenMs; up to a fifth is added at random',
      description:
        'How long nothing is asked of the origin once the breaker is open. Then one request is let through; each that fails doubles the time.',
    }),
    maxOpenMs: milliseconds({
      minimum: 10,
      maximum: 3_600_000,
      default: 30_000,
      description: 'The longest such time: how late the recovery of the origin may be noticed.',
    }),
  },
  {
    description:
      'When an origin that fails is left in peace. Failures are timeouts, broken connections and answers other than 200, 404 and 410. Each worker thread judges for itself.',
  },
);

const origin = group(
  {
    url: text(url),
    timeoutMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 5000,
      formula: 'the lease of a fill runs timeoutMs + 1000',
      description:
        'How long one request may take, with its body; then it has failed. A client waits no longer than `proxy.operationTimeoutMs`, but the fill goes on.',
    }),
    maxConcurrent: whole({
      minimum: 1,
      maximum: 10_000,
      unit: 'requests',
      default: 32,
      description: 'Requests of one worker thread to the origin at once. Further ones wait for their turn.',
    }),
    maxQueued: whole({
      minimum: 0,
      maximum: 1_000_000,
      unit: 'requests',
      default: 1024,
      description: 'How many keys wait for their turn; the clients of further ones are answered OVERLOADED.',
    }),
    maxBytes: size({
      minimum: '1kb',
      maximum: '512mb',
      default: '8mb',
      formula: 'memory of fills under way <= maxConcurrent x maxBytes for each worker thread',
      description: 'The largest value taken from the origin; a longer one is an error.',
    }),
    ttlSeconds: whole({
      minimum: 1,
      maximum: 315_360_000,
      unit: 's',
      default: null,
      description:
        "Time to live of a value whose answer says nothing about it (`X-TTL-Seconds`, `Cache-Control`). Left out: the namespace's `defaultTtlSeconds`.",
    }),
    softTtlSeconds: whole({
      minimum: 1,
      maximum: 315_360_000,
      unit: 's',
      default: null,
      formula: 'softTtlSeconds < the time to live, or it has no effect',
      description:
        'After so long the value is stale: it is still served, while one caller fetches a new one. Left out: only what the answer says (`X-Soft-TTL-Seconds`, `stale-while-revalidate`).',
    }),
    negativeTtlSeconds: whole({
      minimum: 0,
      maximum: 3600,
      unit: 's',
      default: 5,
      description:
        'How long it is remembered that the origin does not have the key (404, 410), unless somebody writes it. 0: not at all.',
    }),
    earlyRefreshBeta: decimal({
      minimum: 0,
      maximum: 100,
      unit: 'factor',
      default: 0,
      formula: 'refreshed when time left < duration of a fetch x earlyRefreshBeta x -ln(random number)',
      description:
        'Refreshes a value at random before it is stale (or over), the likelier the nearer that is, so that popular keys are not waited for. 1 is a good value, more is earlier, 0 is off.',
    }),
    breaker,
  },
  { description: 'An HTTP origin that a namespace is filled from (`docs/origins.md`).' },
);

type OriginGroup = Static<typeof origin>;

/** The origin of a namespace: an URL, or a group. */
export const originSchema = typed<string | OriginGroup | null>({
  description:
    'Where a missing value is fetched from: a URL with `{key}`, or a group of settings with `url`.',
  anyOf: [{ type: 'string', maxLength: url.maxLength, pattern: url.pattern }, origin],
  default: null,
  unit: 'URL or group',
  expects: `${url.expects}, or a group of settings with \`url\``,
});

/** Settings of an origin, every one present. */
export type OriginSettings = OriginGroup;

/** What fills in the settings of an origin that was given as a URL. */
export const originGroup: typeof origin = origin;
