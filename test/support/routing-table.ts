import { type CommandSpec, commands } from '../../lib/commands/index.ts';
import { plans } from '../../proxy/resp/plans.ts';

/** What docs/resp.md says of commands that are treated alike. */
interface Treatment {
  readonly text: string;
  readonly of: (spec: CommandSpec) => boolean;
}

const isPlanned = (spec: CommandSpec) => plans[spec.id] !== undefined;
const isRouted = (...routings: string[]) => {
  return (spec: CommandSpec) => isPlanned(spec) && routings.includes(spec.routing);
};
/** Commands that go through the shards one after the other. */
const ONE_BY_ONE = new Set(['scan', 'randomkey']);

function hasOneKey({ keySpecs }: CommandSpec): boolean {
  const [first, ...others] = keySpecs;
  return others.length === 0 && first.find.type === 'range' && first.find.last === 0;
}

/** In the order of the page. The first that fits a command says what happens. */
const treatments: readonly Treatment[] = [
  {
    text: 'forwarded as it came to the shard of its key; the reply comes back as the node sent it',
    of: (spec) => isRouted('key')(spec) && hasOneKey(spec),
  },
  {
    text: 'forwarded as it came when all its keys are on one shard, else `CROSSSLOT` (use a hash tag: `{user}.a`, `{user}.b`)',
    of: isRouted('key'),
  },
  {
    text: 'forwarded whole when one shard owns all keys; else split per shard, and the replies merged in the order of the keys',
    of: isRouted('multi', 'pairs'),
  },
  {
    text: 'forwarded whole when one shard owns all keys; else the shards are asked for what is needed, and the proxy computes the reply',
    of: isRouted('gather'),
  },
  { text: 'the shards one after the other', of: (spec) => isPlanned(spec) && ONE_BY_ONE.has(spec.name) },
  {
    text: 'every shard, and the replies merged: sums, one array, the least number, or what all shards say alike',
    of: isRouted('all'),
  },
  {
    text: 'depends on the word behind the name: the shard of the key, or all shards',
    of: (spec) => isPlanned(spec) && spec.routingByWord !== null,
  },
  { text: "an upstream connection of the client's own", of: isRouted('pinned') },
  {
    text: 'the home shard of the channel, patterns all shards: messages reach the subscribers of every proxy ([pubsub.md](pubsub.md))',
    of: isRouted('pubsub'),
  },
  { text: 'answered by the proxy', of: isRouted('local') },
];

/** A command that is nothing but its subcommands has no line of its own; one whose handler does all has no lines for them. */
function isListed(spec: CommandSpec): boolean {
  return spec.subcommands.length === 0 || !(plans[spec.id]?.isContainer ?? true);
}

function nameOf(spec: CommandSpec): string {
  return `\`${spec.name.toUpperCase().replace('|', ' ')}\``;
}

/** The table of docs/resp.md: every command that the proxy has, by what happens to it, and those it has not. */
export function routingTable(): string {
  const left = new Set(
    commands.flatMap((spec) => {
      const subcommands = spec.subcommands.filter(isPlanned);
      return subcommands.length > 0 ? subcommands : [spec];
    }),
  );
  const lines = ['| commands | what happens |', '|---|---|'];
  for (const { text, of } of treatments) {
    const found = [...left].filter((spec) => isListed(spec) && of(spec));
    for (const spec of found) left.delete(spec);
    if (found.length > 0) lines.push(`| ${found.map(nameOf).join(' ')} | ${text} |`);
  }
  const unknown = [...left].filter((spec) => plans[spec.id] === undefined);
  lines.push(
    `| ${unknown.map(nameOf).join(' ')} | Redis's own \`ERR unknown command\`: they mean something on a node alone |`,
  );
  return `${lines.join('\n')}\n`;
}
