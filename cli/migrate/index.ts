import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Random } from '../../lib/base/index.ts';
import type { TlsMaterial } from '../../lib/net/index.ts';
import { type CutOver, cutOver } from './cut-over.ts';
import { followUntilLevel, startFollowing } from './follow.ts';
import { makePlan, type Parties } from './plan.ts';
import { ProxyClient } from './proxy-client.ts';
import { Reporter } from './report.ts';
import { Server } from './server.ts';
import type { ServerUrl } from './server-url.ts';

export { parseServerUrl } from './server-url.ts';

/** How long the source is waited for to be level with the target, after a cut-over. */
const AFTER_MS = 5000;
const POLL_MS = 100;
/** Of the time that writes may be held, what catching up may take. */
const DRAIN_SHARE = 0.1;

/** One migration. */
export interface MigrationOptions {
  readonly source: ServerUrl;
  readonly target: ServerUrl;
  /** Admin URLs. */
  readonly proxies: readonly string[];
  readonly tls: TlsMaterial | undefined;
  /** Delete what the target has of its own. */
  readonly replace: boolean;
  /** False: ends once the target is level. */
  readonly cutsOver: boolean;
  readonly maxHoldMs: number;
  readonly maxLagBytes: number;
  readonly isJson: boolean;
  readonly write: (text: string) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** Migrates from the source to the target (docs/migrate.md). Rejects with RingsideError; the message says what to do. */
export async function migrate(options: MigrationOptions): Promise<void> {
  const { source, target, proxies, tls, random } = options;
  const hold = `migrate-${random.hex(8)}`;
  const parties: Parties = {
    source: new Server('source', source),
    target: new Server('target', target),
    proxies: proxies.map((url) => new ProxyClient(url, hold, tls)),
  };
  try {
    await run(parties, options);
  } finally {
    parties.source.close();
    parties.target.close();
    await Promise.all(parties.proxies.map((proxy) => proxy.close()));
  }
}

async function run(parties: Parties, options: MigrationOptions): Promise<void> {
  const { replace, cutsOver, isJson, write, clock, maxLagBytes, maxHoldMs } = options;
  const { source, target, proxies } = parties;
  const reporter = new Reporter(isJson, write);
  const plan = await makePlan(parties, replace);
  for (const note of plan.notes) reporter.say('note', `Note: ${note}.`);
  if (plan.isHalfDone) {
    if (plan.toTurn.length === 0) return reporter.say('done', nothingToDo(parties), { alreadyDone: true });
    reporter.say('resume', `${source.name} follows ${target.name} already: the proxies are left.`);
  } else {
    reporter.say(
      'start',
      `${capital(target.name)} ${plan.follows ? 'follows' : 'begins to follow'} ${source.name}.`,
    );
    if (!plan.follows) await startFollowing(target, source);
    const onProgress = reporter.progress.bind(reporter);
    const maxDrainSeconds = (DRAIN_SHARE * maxHoldMs) / 1000;
    await followUntilLevel(parties, { clock, maxLagBytes, maxDrainSeconds, onProgress });
    if (!cutsOver)
      return reporter.say(
        'level',
        'Level. It follows on; without --no-cut-over, the same command cuts over.',
      );
  }
  reporter.say(
    'cut-over',
    `Cutting over ${proxies.length === 1 ? 'the proxy' : `${proxies.length} proxies`}.`,
  );
  const done = await cutOver(parties, plan, {
    clock,
    maxHoldMs,
    say: (step, text, facts) => reporter.say(step, text, facts),
  });
  reporter.say('done', doneText(parties, done), {
    ...done,
    offset: done.offset === null ? null : String(done.offset),
  });
  if (!(await isSourceLevel(parties, clock)))
    reporter.say(
      'note',
      `Note: ${source.name} is not level with ${target.name} yet; until it is, there is no way back.`,
    );
}

function nothingToDo({ source, target }: Parties): string {
  return `Nothing to do: ${source.name} follows ${target.name}, and every proxy has been turned.`;
}

function doneText({ source, target }: Parties, { tookMs, held, unsure }: CutOver): string {
  const doubt = unsure.map(
    (url) =>
      ` The proxy ${url} did not confirm: it may still send to ${source.name}, which refuses writes; start it anew with --upstream ${target.url.address}.`,
  );
  return `Done: writes were held for ${tookMs} ms, ${held} of them waited, none was lost. The proxies go to ${target.name}: give them --upstream …=${target.url.address} before they are started anew. ${capital(source.name)} follows it, read-only, for the way back.${doubt.join('')}`;
}

function capital(text: string): string {
  return text[0].toUpperCase() + text.slice(1);
}

async function isSourceLevel({ source, target }: Parties, clock: Clock): Promise<boolean> {
  const endMs = clock.monotonicMs() + AFTER_MS;
  for (;;) {
    const facts = await source.facts().catch(() => null);
    if (facts?.isLinked && facts.leader === target.url.address) return true;
    if (clock.monotonicMs() >= endMs) return false;
    await delay(POLL_MS);
  }
}
