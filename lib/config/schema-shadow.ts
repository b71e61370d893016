import { flag, group, list, milliseconds, oneOf, ratio, size, text, whole } from './option.ts';
import { upstreamSchema } from './schema-upstream.ts';

const namespaceShare = group(
  {
    name: text({ maxLength: 64, description: 'Name of the namespace.' }),
    share: ratio({ default: 0, description: 'Part of its commands that the other cluster gets too.' }),
  },
  { description: 'The share of one namespace.' },
);

/** A part of the traffic goes to another cluster too. */
export const shadowSchema = group(
  {
    to: list(upstreamSchema, {
      unit: 'shards',
      maxItems: 1000,
      description: 'The other cluster, as `proxy.upstreams` describes one. `sentinels` are not asked.',
    }),
    share: ratio({
      default: 0.01,
      description: 'Part of the commands that the other cluster gets too: 0.1 is every tenth.',
    }),
    by: oneOf(['key', 'random'], {
      default: 'key',
      description:
        'What decides: `key`: the hash of the key, so that it is always the same keys, on all proxies; `random`: each command by itself.',
    }),
    namespaces: list(namespaceShare, {
      unit: 'namespaces',
      maxItems: 1000,
      description: 'Namespaces with a share of their own.',
    }),
    writes: flag({
      default: false,
      description: 'Writes too. Only with `by: key` does the other cluster then hold what its reads expect.',
    }),
    compare: flag({
      default: true,
      description: 'Replies are compared and differences counted and logged; else they are thrown away.',
    }),
    maxInFlight: whole({
      minimum: 1,
      maximum: 1_000_000,
      unit: 'commands',
      default: 1000,
      description:
        'Commands of one worker thread that the other cluster has not answered. Further ones are not sent there, and counted as dropped.',
    }),
    maxInFlightBytes: size({
      minimum: '64kb',
      maximum: '4gb',
      default: '16mb',
      description: 'The bytes of these commands, and of replies that wait to be compared, likewise.',
    }),
    timeoutMs: milliseconds({
      minimum: 10,
      maximum: 600_000,
      default: 1000,
      description:
        'How long the other cluster may take before the command has failed there. No client waits for it.',
    }),
    maxLogLinesPerSecond: whole({
      minimum: 0,
      maximum: 1000,
      unit: 'lines/s',
      default: 1,
      description: 'Differences of one worker thread that are logged with their key, at most.',
    }),
  },
  {
    nullable: true,
    description:
      'A share of the commands is sent to another cluster too, to see how it does under real traffic (`docs/shadowing.md`).',
  },
);
