import { memory } from './memory.ts';
import { persistence } from './persistence.ts';
import { clients, cpu, server } from './process.ts';
import { replication } from './replication.ts';
import type { InfoSource, Section } from './section.ts';
import {
  commandStatistics,
  errorStatistics,
  keyspaces,
  latencyStatistics,
  statistics,
} from './statistics.ts';

/** In Redis's order. */
const sections: Readonly<Record<string, Section>> = {
  server,
  clients,
  memory,
  persistence,
  stats: statistics,
  replication,
  cpu,
  modules: () => [],
  commandstats: commandStatistics,
  errorstats: errorStatistics,
  latencystats: latencyStatistics,
  cluster: () => [['cluster_enabled', 0]],
  keyspace: keyspaces,
};
/** Left out unless asked for by name, or by `all` or `everything`. */
const onRequest = new Set(['commandstats', 'latencystats']);

/** The text of INFO: the sections asked for, in lower case (none: the default ones), in Redis's order, names and format. */
export function infoText(asked: readonly string[], source: InfoSource): string {
  const all = asked.includes('all') || asked.includes('everything');
  const byDefault = asked.length === 0 || asked.includes('default');
  return Object.entries(sections)
    .filter(([name]) => all || asked.includes(name) || (byDefault && !onRequest.has(name)))
    .map(([name, section]) => {
      const title = name === 'cpu' ? 'CPU' : name[0].toUpperCase() + name.slice(1);
      const lines = section(source).map(([key, value]) => `${key}:${value}\r\n`);
      return `# ${title}\r\n${lines.join('')}`;
    })
    .join('\r\n');
}
