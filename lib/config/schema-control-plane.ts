import { group, milliseconds, oneOf, port, text, whole } from './option.ts';

/** Options of `ringside control-plane`. */
export const controlPlaneSchema = group(
  {
    id: text({
      default: 'control-plane-1',
      maxLength: 255,
      pattern: '^\\S+$',
      expects: 'a name without spaces',
      description: 'Name of this process in status and metrics.',
    }),
    bind: text({ default: '127.0.0.1', unit: 'address', description: 'Address of both listeners.' }),
    httpPort: port({ default: 7400, description: 'HTTP port: API for `ringside ctl`, health, metrics.' }),
    grpcPort: port({
      default: 7401,
      offAllowed: false,
      description: 'gRPC port that nodes and proxies attach to.',
    }),
    state: oneOf(['embedded', 'etcd'], {
      default: 'embedded',
      description: 'Where the ring is kept: in a file of this process, or in etcd.',
    }),
    dir: text({
      default: null,
      unit: 'path',
      description:
        'Folder of the embedded state. Without it the state is in memory only: after a restart the ring is collected from the running fleet.',
    }),
    leaseMs: milliseconds({
      minimum: 100,
      maximum: 60_000,
      default: 1000,
      formula: 'writes pause after a leader dies for about suspectAfterMs + leaseMs',
      description:
        'How long a leader may acknowledge writes after a renewal was sent. Lower resumes writes sooner after a failure; too low lets a pause of the leader stop writes for a moment.',
    }),
    heartbeatMs: milliseconds({
      minimum: 10,
      maximum: 10_000,
      default: 250,
      formula: 'heartbeatMs <= leaseMs / 3 and heartbeatMs <= suspectAfterMs / 2',
      description: 'How often nodes and proxies report; each report of a leader renews its lease.',
    }),
    suspectAfterMs: milliseconds({
      minimum: 50,
      maximum: 600_000,
      default: 1000,
      description:
        'A node silent for this long is suspected dead; a leader is replaced when its followers miss it too.',
    }),
    collectMs: milliseconds({
      minimum: 0,
      maximum: 600_000,
      default: 2000,
      description:
        'A control plane without state waits this long for nodes and proxies to show the ring they hold, before it adopts the newest or forms one.',
    }),
    formation: group(
      {
        shards: whole({
          minimum: 1,
          maximum: 1000,
          unit: 'shards',
          default: null,
          description: 'Shards a first ring must have. Left out: those that show up within `collectMs`.',
        }),
        nodesPerShard: whole({
          minimum: 1,
          maximum: 16,
          unit: 'nodes',
          default: null,
          description: 'Nodes (leader and followers) each shard of a first ring must have.',
        }),
      },
      { description: 'When the first ring is formed. Does nothing once a ring exists.' },
    ),
  },
  { description: 'The process that decides the ring (`ringside control-plane`).' },
);
