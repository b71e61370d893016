import type { Command } from 'commander';
import { type FlagSetting, loadConfig } from '../configuration.ts';
import type { CommonOptions } from '../options.ts';
import { roles } from '../roles.ts';

interface NodeOptions extends CommonOptions {
  readonly port?: string;
  readonly adminPort?: string;
  readonly [flag: string]: unknown;
}

/** Flags that are a setting by another name: `[flag, setting, placeholder, description]`. */
const SETTINGS = [
  ['--port', 'port', '<port>', 'RESP port; auto: any free one'],
  [
    '--admin-port',
    'adminPort',
    '<port>',
    'HTTP port for health and metrics; off or 0: none, auto: any free one',
  ],
  ['--bind', 'bind', '<address>', 'address to listen on'],
  ['--dir', 'dir', '<dir>', 'folder for what must survive a restart'],
  ['--save', 'save', '<points>', 'when a snapshot is due: "seconds changes", several times or none'],
  ['--dbfilename', 'dbFilename', '<file>', 'name of the snapshot in --dir'],
  ['--appendonly', 'appendOnly', '<yes|no>', 'append every write to a file in --dir'],
  ['--appenddirname', 'appendDirname', '<folder>', 'folder in --dir for the parts of that file'],
  ['--appendfilename', 'appendFilename', '<file>', 'what the names of its parts begin with'],
  ['--appendfsync', 'appendFsync', '<always|everysec|no>', 'when what was appended is put on disk'],
  [
    '--auto-aof-rewrite-percentage',
    'autoAofRewritePercentage',
    '<percent>',
    'growth at which that file is rewritten',
  ],
  ['--auto-aof-rewrite-min-size', 'autoAofRewriteMinSize', '<size>', 'size up to which it is not'],
  ['--aof-load-truncated', 'aofLoadTruncated', '<yes|no>', 'whether an unfinished end of it is cut off'],
  ['--maxmemory', 'maxMemoryBytes', '<size>', 'budget for keys and values, e.g. 1gb'],
  [
    '--maxmemory-policy',
    'maxMemoryPolicy',
    '<policy>',
    'what is evicted when that is used up, e.g. allkeys-lru',
  ],
  ['--requirepass', 'requirePass', '<password>', 'password that clients give with AUTH'],
  ['--replicaof', 'replicaof', '<"host port">', 'with --standalone: follow this node'],
  ['--enable-debug-command', 'enableDebugCommand', '<yes|local|no>', 'who may use DEBUG: nobody by default'],
  [
    '--client-output-buffer-limit',
    'limits.clientOutputBuffer',
    '<limits>',
    'when clients that do not read are closed',
  ],
  [
    '--min-replicas-to-write',
    'replication.minReplicasToWrite',
    '<n>',
    'followers without which writes are refused',
  ],
  [
    '--min-replicas-max-lag',
    'replication.minReplicasMaxLagSeconds',
    '<seconds>',
    'silence after which a follower does not count for that',
  ],
  ['--ack', 'ack', '<leader|replica>', 'when a write is acknowledged'],
  ['--id', 'id', '<id>', 'name in the fleet, the same after a restart'],
  ['--shard', 'shard', '<shard>', 'shard whose data this node holds'],
  ['--weight', 'weight', '<n>', 'size of the shard relative to the others'],
  ['--control-plane', 'controlPlane', '<host:port>', "the control plane's gRPC address"],
  ['--advertise', 'advertise', '<host:port>', 'address under which others reach the RESP port'],
] as const;

const DEFAULT_PORT = 7501;

/** Adds `ringside node` to the program. */
export function registerNode(program: Command): void {
  const command = program
    .command('node')
    .description('run one node: a process that holds data')
    .option('--standalone', 'a plain RESP server: no control plane, no shard, no lease');
  for (const [flag, , placeholder, description] of SETTINGS)
    command.option(`${flag} ${placeholder}`, description);
  command.action(run);
}

async function run(options: NodeOptions): Promise<void> {
  const config = loadConfig(options, { role: 'node', flags: settingsOf(options) });
  await roles.node(config, options);
}

function settingsOf(options: NodeOptions): FlagSetting[] {
  const given: FlagSetting[] = SETTINGS.flatMap(([flag, setting]) => {
    const value = options[flag.slice(2).replace(/-[a-z]/g, (c) => c[1].toUpperCase())];
    return value === undefined
      ? []
      : [{ flag, path: `node.${setting}`, value: plainValue(setting, String(value)) }];
  });
  if (options.standalone) given.push({ flag: '--standalone', path: 'node.standalone', value: true });
  if (wantsAnyAdminPort(options)) given.push({ flag: '--admin-port', path: 'node.adminPort', value: 'auto' });
  return given;
}

/** Several nodes on one host differ in `--port` alone: the second must not trip over the first one's admin port. */
function wantsAnyAdminPort({ port, adminPort, set }: NodeOptions): boolean {
  const isOwnPort = port !== undefined && Number(port) !== DEFAULT_PORT;
  return isOwnPort && adminPort === undefined && !set.some((text) => text.startsWith('node.adminPort='));
}

const NUMBERS = new Set([
  'port',
  'adminPort',
  'weight',
  'maxMemoryBytes',
  'autoAofRewritePercentage',
  'autoAofRewriteMinSize',
  'replication.minReplicasToWrite',
  'replication.minReplicasMaxLagSeconds',
]);

const SWITCHES = new Set(['appendOnly', 'aofLoadTruncated']);

/** Numbers and switches where the configuration takes them; everything else, and what is wrong, is text for its check. */
function plainValue(setting: string, text: string): string | number | boolean {
  if (SWITCHES.has(setting) && /^(?:yes|no)$/i.test(text)) return text.toLowerCase() === 'yes';
  return NUMBERS.has(setting) && /^\d+$/.test(text) ? Number(text) : text;
}
