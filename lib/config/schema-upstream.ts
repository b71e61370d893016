import { address, flag, group, list, oneOf, text, whole } from './option.ts';

/** One shard of a ring that the configuration names. */
export const upstreamSchema = group(
  {
    name: text({
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'Name of the shard. It decides which keys it gets: renaming moves keys.',
    }),
    leader: address({
      default: null,
      description:
        'Address of the node that takes the writes. With engine `redis` and `followers` it is only the first guess: whoever says so (`ROLE`) is the leader. Left out where `sentinels` know it.',
    }),
    followers: list(address({ description: 'Address of a node that may answer reads.' }), {
      unit: 'addresses',
      maxItems: 16,
      description: 'Nodes asked for reads while the leader does not answer.',
    }),
    weight: whole({
      minimum: 1,
      maximum: 100,
      unit: 'ratio',
      default: 1,
      formula: 'share of the keys = weight / sum of the weights',
      description: 'Size of this shard relative to the others.',
    }),
    gutter: flag({
      default: false,
      description:
        'An idle shard outside the ring: it takes the keys of a shard that has no node left that answers, in namespaces with `gutter: true`. Without followers. With a `controlPlane` too, which knows nothing of it: a node with `standalone`.',
    }),
    engine: oneOf(['ringside', 'redis'], {
      default: null,
      description: 'What this shard is; by default `proxy.engine`.',
    }),
    username: text({
      default: null,
      maxLength: 255,
      description:
        'ACL user that the proxy is on these nodes. Needs `password`; without it the default user.',
    }),
    password: text({
      default: null,
      unit: 'secret',
      description: 'Password that these nodes want; by default `proxy.nodePassword`.',
    }),
    tls: oneOf(['inherit', 'off'], {
      default: 'inherit',
      description:
        "TLS to these nodes and their Sentinels: the fleet's (`tls`), or none, for a Redis that has no certificate.",
    }),
    sentinels: list(address({ description: 'Address of a Sentinel.' }), {
      unit: 'addresses',
      maxItems: 16,
      description:
        'Sentinels that say who leads and who follows (engine `redis`). The proxy follows the one with the highest configuration epoch, and only to a node that itself says that it leads.',
    }),
    masterName: text({
      default: null,
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'Name of this shard in the configuration of its Sentinels.',
    }),
    sentinelUsername: text({
      default: null,
      maxLength: 255,
      description: 'ACL user that the proxy is on the Sentinels. Needs `sentinelPassword`.',
    }),
    sentinelPassword: text({
      default: null,
      unit: 'secret',
      description: 'Password that the Sentinels want; without it none is sent.',
    }),
  },
  { description: 'One shard of a fixed ring.' },
);
