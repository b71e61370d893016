/** What CLIENT LIST tells of a client. Plain data: may be posted between threads. */
export interface ClientFacts {
  readonly id: number;
  /** `host:port`, of the client and of this side. */
  readonly address: string;
  readonly localAddress: string;
  readonly name: string;
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  /** Redis's letters; `N` for none. */
  readonly flags: string;
  readonly database: number;
  readonly channels: number;
  readonly patterns: number;
  readonly shardChannels: number;
  /** Commands that wait for EXEC; -1 outside of a transaction. */
  readonly queuedCommands: number;
  readonly queuedBytes: number;
  /** Bytes received that are not a whole command yet. */
  readonly inputBytes: number;
  /** Replies that wait, and bytes of replies that have not left. */
  readonly waitingReplies: number;
  readonly outputBytes: number;
  readonly lastCommand: string;
  /** One character a byte; null for the server itself. */
  readonly user: string | null;
  /** Client that invalidations go to; 0: itself, -1: there are none. */
  readonly redirect: number;
  readonly protocol: 2 | 3;
}

/** One line of CLIENT LIST, with Redis's fields; what Ringside does not have is what an idle client of Redis shows. */
export function clientLine(facts: ClientFacts): string {
  const { inputBytes, outputBytes, queuedBytes } = facts;
  return [
    `id=${facts.id} addr=${facts.address} laddr=${facts.localAddress} fd=-1 name=${facts.name}`,
    `age=${facts.ageSeconds} idle=${facts.idleSeconds} flags=${facts.flags}`,
    `db=${facts.database} sub=${facts.channels} psub=${facts.patterns} ssub=${facts.shardChannels}`,
    `multi=${facts.queuedCommands}`,
    `qbuf=${inputBytes} qbuf-free=0 argv-mem=0 multi-mem=${queuedBytes} rbs=0 rbp=0`,
    `obl=${outputBytes} oll=${facts.waitingReplies} omem=${outputBytes}`,
    `tot-mem=${inputBytes + queuedBytes + outputBytes} events=r`,
    `cmd=${facts.lastCommand || 'NULL'} user=${facts.user ?? '(superuser)'}`,
    `redir=${facts.redirect} resp=${facts.protocol}`,
  ].join(' ');
}
