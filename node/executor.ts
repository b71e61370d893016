import { errorCatalogue } from '../lib/base/index.ts';
import type { Args } from '../lib/codec/resp/index.ts';
import {
  arityFits,
  type CommandSpec,
  commandIdCount,
  commands,
  lookupCommand,
  lookupSubcommand,
  unknownCommandText,
  unknownSubcommandText,
  wrongArityText,
} from '../lib/commands/index.ts';
import type { KeysAhead } from '../lib/store/index.ts';
import type { CommandContext, CommandHandler } from './commands/command.ts';
import { handlers } from './commands/index.ts';
import type { DataSet } from './data-set.ts';
import type { Databases } from './databases.ts';
import {
  asksHowItIs,
  EXEC,
  isNeverQueued,
  isRefusedLoading,
  refusalWhileSubscribed,
  waitsForWrites,
} from './guards.ts';
import type { KeyWait } from './server/blocked.ts';
import { type Client, TRACKING } from './server/client.ts';
import type { Debt } from './server/client-registry.ts';
import { ReplyWriter } from './server/reply-writer.ts';
import type { NodeServices } from './services.ts';
import { endTransaction, type Transaction } from './transactions/transaction.ts';
import { letGoOfShared } from './values/index.ts';
import { WriteRules } from './write-rules.ts';

const NOAUTH = errorCatalogue.unauthorized.resp;
const LOADING = errorCatalogue.loading.resp;
const MASTERDOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const NOT_IN_TRANSACTION = 'ERR Command not allowed inside a transaction';
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';

/**
 * Runs commands: finds the handler, and says no where the state of the client or of the node forbids it. Knows no sockets; one per
 * node.
 *
 * What a write owes before its reply may go out is in `needsLease`, `followerTimeoutMs` and `awaitsDisk` after each `execute`.
 */
export class Executor {
  readonly #context: CommandContext;
  readonly #node: NodeServices;
  readonly #databases: Databases;
  readonly #data: DataSet;
  readonly #rules: WriteRules;
  readonly #handlers: readonly (CommandHandler | undefined)[];
  /** The command under way; undefined when it is unknown. */
  #spec: CommandSpec | undefined;
  #nowMs = 0;
  /** The last command was a write of a clustered node: its reply may only go out under the lease. */
  needsLease = false;
  /** The last command changed data whose namespace has `ack: replica`: milliseconds its reply waits for a follower; else 0. */
  followerTimeoutMs = 0;
  /** The last command changed data that has to be on disk before its reply. */
  awaitsDisk = false;

  constructor(databases: Databases, node: NodeServices) {
    this.#databases = databases;
    this.#data = databases.data;
    this.#node = node;
    this.#rules = new WriteRules(databases, node);
    this.#context = {
      databases,
      keyspace: databases.at(0),
      node,
      client: null as unknown as Client,
    };
    node.aside.change = (client, ackTimeoutMs, change) => this.#changeAside(client, ackTimeoutMs, change);
    const byId = handlersById();
    byId[EXEC] = (context, _args, reply) => this.#exec(context.client, reply as ReplyWriter);
    this.#handlers = byId;
  }

  /**
   * To be called before the commands of one chunk: what they see of time and lease is this moment's. Evicts what is
   * beyond budgets.
   */
  beginTurn(): void {
    this.#data.nowMs = this.#node.clock.wallMs();
    this.#nowMs = this.#node.clock.monotonicMs();
    this.#node.watch.beginTurn(this.#nowMs);
    this.#rules.beginTurn(this.#nowMs);
    this.#node.observers.beginTurn();
  }

  /** The client's next commands have these keys. */
  lookAhead(client: Client, keys: KeysAhead): void {
    this.#databases.at(client.database).store.lookAhead(keys);
  }

  /** To be called behind the last command of a chunk. */
  endTurn(): void {
    this.#data.log.settle();
    this.#node.watch.endTurn();
    letGoOfShared();
  }

  /** Monotonic milliseconds of the turn. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Executes one command; writes one reply (but none to the messages of a replication link). */
  execute(client: Client, args: Args, reply: ReplyWriter): void {
    this.needsLease = false;
    this.followerTimeoutMs = 0;
    this.awaitsDisk = false;
    this.#node.stats.commands++;
    const { errors } = reply;
    const { observers, blocked } = this.#node;
    if (this.#data.observer !== null) observers.begin(client);
    const problem = this.#run(client, args, reply);
    if (problem !== null) {
      const isPlain = client.transaction === null && this.#spec?.id !== EXEC;
      reply.error(isPlain ? problem : this.#abort(client, problem));
      if (this.#spec !== undefined) this.#node.watch.stats.rejected[this.#spec.id]++;
    }
    client.writeOffset = this.#data.log.end;
    if (reply.errors !== errors) this.#node.stats.countError(reply.lastErrorCode);
    observers.settle();
    if (blocked.hasReady) this.#serveBlocked();
  }

  /** A command of a transaction could not be queued, or EXEC not begin, be there a transaction or not. Returns the text of the error. */
  #abort(client: Client, problem: string): string {
    if (this.#spec?.id !== EXEC) {
      client.transaction!.abort();
      return problem;
    }
    endTransaction(client, this.#node.observers.watched);
    return `EXECABORT Transaction discarded because of: ${problem.replace(/^ERR /, '')}`;
  }

  /** Serves the clients whose keys have got data, first come first served, and then those whom that has made ready in turn. */
  #serveBlocked(): void {
    const { blocked } = this.#node;
    const { needsLease, followerTimeoutMs, awaitsDisk } = this;
    // A command may have taken its time.
    this.#data.nowMs = this.#node.clock.wallMs();
    while (blocked.hasReady) {
      for (const ready of blocked.takeReady()) {
        const key = Buffer.from(ready.key, 'latin1');
        for (const client of blocked.waitingFor(ready)) {
          if (this.#databases.at(ready.database).find(key, 0, key.length) === 0) break;
          this.#serve(client, client.blocked as KeyWait, key);
        }
      }
    }
    this.needsLease = needsLease;
    this.followerTimeoutMs = followerTimeoutMs;
    this.awaitsDisk = awaitsDisk;
  }

  /** Tries to serve one blocked client with a key that has data. */
  #serve(client: Client, wait: KeyWait, key: Buffer): void {
    const { args, firstKey, lastKey } = wait;
    const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
    let i = firstKey;
    while (i < lastKey && !args.bytes(i).equals(key)) i++;
    const reply = new ReplyWriter();
    reply.protocol = client.protocol;
    this.needsLease = false;
    this.followerTimeoutMs = 0;
    this.awaitsDisk = false;
    const refusal = this.#rules.refusal(spec, client, args);
    const { observers, blocked, clients } = this.#node;
    observers.begin(client);
    if (refusal !== null) reply.error(refusal);
    else if (!this.#tryServing(client, wait, spec, i, reply)) {
      observers.settle();
      return;
    }
    const { needsLease, followerTimeoutMs, awaitsDisk } = this;
    client.writeOffset = this.#data.log.end;
    blocked.remove(client);
    const bytes = reply.take();
    const debt = { needsLease, followerTimeoutMs, awaitsDisk, offset: client.writeOffset };
    clients.get(client.id)?.answer(wait.muted ? bytes.subarray(0, 0) : bytes, debt);
    observers.settle();
  }

  /** Whether the key that argument `i` names had what the client waits for; the reply is written then. */
  #tryServing(client: Client, wait: KeyWait, spec: CommandSpec, i: number, reply: ReplyWriter): boolean {
    const { log, dirty } = this.#data;
    const before = log.end;
    const startedMs = this.#node.clock.monotonicMs();
    this.#data.logged = false;
    this.#context.client = client;
    this.#context.keyspace = this.#databases.at(client.database);
    log.beginUnit();
    try {
      if (!wait.serve(this.#context, wait.args, i, reply)) return false;
      this.#logChange(wait.args, dirty);
    } finally {
      log.endUnit();
    }
    this.#node.watch.served(spec, client, wait.args, this.#node.clock.monotonicMs() - startedMs);
    this.#owe(before);
    return true;
  }

  #changeAside(client: Client, ackTimeoutMs: number, change: () => void): Debt | string {
    const { observers, followers } = this.#node;
    this.beginTurn();
    const refusal = this.#rules.refusalAside(client, ackTimeoutMs);
    if (refusal !== null) return refusal;
    const { log } = this.#data;
    const before = log.end;
    observers.begin(client);
    log.beginUnit();
    try {
      change();
    } finally {
      log.endUnit();
    }
    this.#owe(before);
    client.writeOffset = log.end;
    observers.settle();
    if (log.active) followers.wake();
    const { needsLease, followerTimeoutMs, awaitsDisk } = this;
    return { needsLease, followerTimeoutMs, awaitsDisk, offset: log.end };
  }

  /** Null when the command ran; else why it did not. */
  #run(client: Client, args: Args, reply: ReplyWriter): string | null {
    let spec = lookupCommand(args.buffer, args.start(0), args.end(0));
    this.#spec = spec;
    if (spec === undefined) return unknownCommandText(args);
    if (!arityFits(spec, args.count)) return wrongArityText(spec);
    if (spec.subcommands.length > 0 && args.count > 1 && this.#handlers[spec.id] === undefined) {
      const sub = lookupSubcommand(spec, args.buffer, args.start(1), args.end(1));
      if (sub === undefined || this.#handlers[sub.id] === undefined) return unknownSubcommandText(spec, args);
      this.#spec = sub;
      if (!arityFits(sub, args.count)) return wrongArityText(sub);
      spec = sub;
    }
    const handler = this.#handlers[spec.id];
    if (handler === undefined) return unknownCommandText(args);
    const { access } = this.#node;
    if (!client.authenticated && !spec.noAuth && access.users.requireLogin) return NOAUTH;
    if (client.user !== null && !client.user.isUnlimited) {
      const refusal = access.refusal(client, spec, args);
      if (refusal !== null) return refusal;
    }
    if (asksHowItIs(spec)) {
      const refusal = this.#rules.diskRefusal;
      if (refusal !== null) return refusal;
    }
    if (this.#refusesStale() && !spec.flags.includes('stale')) return MASTERDOWN;
    if (client.modes !== 0 || this.#node.pause.mode !== 'none') {
      return this.#runGuarded(handler, spec, client, args, reply);
    }
    if (spec.isWrite) return this.#write(handler, spec, client, args, reply);
    if (isRefusedLoading(spec, this.#node.shard)) return LOADING;
    this.#call(handler, spec, client, args, reply);
    return null;
  }

  /** Whether this node follows, is cut off, and is told to say nothing then. */
  #refusesStale(): boolean {
    return !this.#node.settings.servesStaleData && this.#node.shard.isStale;
  }

  #call(handler: CommandHandler, spec: CommandSpec, client: Client, args: Args, reply: ReplyWriter): void {
    const { watch } = this.#node;
    client.lastCommand = spec.name;
    this.#context.client = client;
    this.#context.keyspace = this.#databases.at(client.database);
    const { errors, length } = reply;
    const { failures } = watch;
    const started = watch.begins(spec, args);
    handler(this.#context, args, reply);
    const hasFailed = reply.errors !== errors && watch.failures === failures;
    watch.ended(spec, client, args, started, reply.length - length, hasFailed);
    if ((client.modes & TRACKING) !== 0) this.#track(spec, client, args);
  }

  /** A tracked client has had the command. What CLIENT CACHING says is for one command, or one transaction. */
  #track(spec: CommandSpec, client: Client, args: Args): void {
    if (spec.isReadonly) this.#node.observers.tracking.remember(client, spec, args);
    if (client.transaction !== null || client.isExecuting || spec.name.startsWith('client|')) return;
    client.tracking!.isCachingGiven = false;
  }

  #write(
    handler: CommandHandler,
    spec: CommandSpec,
    client: Client,
    args: Args,
    reply: ReplyWriter,
  ): string | null {
    const refusal = this.#rules.refusal(spec, client, args);
    if (refusal !== null) return refusal;
    const before = this.#data.log.end;
    this.#callWrite(handler, spec, client, args, reply);
    this.#owe(before);
    return null;
  }

  #callWrite(
    handler: CommandHandler,
    spec: CommandSpec,
    client: Client,
    args: Args,
    reply: ReplyWriter,
  ): void {
    const { dirty, log } = this.#data;
    this.#data.logged = false;
    log.beginUnit();
    try {
      this.#call(handler, spec, client, args, reply);
      this.#logChange(args, dirty);
    } finally {
      log.endUnit();
    }
  }

  /** Runs, queues or postpones a command of a client that is in a transaction, listens to channels or is tracked, or during a pause. */
  #runGuarded(
    handler: CommandHandler,
    spec: CommandSpec,
    client: Client,
    args: Args,
    reply: ReplyWriter,
  ): string | null {
    const { transaction } = client;
    const isQueued = transaction !== null && !isNeverQueued(spec);
    const executed = spec.id === EXEC ? transaction : null;
    if (this.#node.pause.holds(waitsForWrites(spec) || (executed?.waitsForWrites ?? false))) {
      if (this.#node.pause.refusal === null) this.#node.pause.hold(client);
      return this.#node.pause.refusal;
    }
    const refusal = this.#refusalOfGuarded(spec, client, args, executed, isQueued);
    if (refusal !== null) return refusal;
    const before = this.#data.log.end;
    if (isQueued) {
      transaction.add(spec, args, this.#rules.ackTimeoutMs);
      reply.simple('QUEUED');
      return null;
    }
    if (spec.isWrite) this.#callWrite(handler, spec, client, args, reply);
    else this.#call(handler, spec, client, args, reply);
    if (spec.isWrite || executed?.hasWrites) this.#owe(before);
    return null;
  }

  /** Why a guarded command may not run or be queued; for EXEC (`executed`) what its commands together need counts. */
  #refusalOfGuarded(
    spec: CommandSpec,
    client: Client,
    args: Args,
    executed: Transaction | null,
    isQueued: boolean,
  ): string | null {
    this.#rules.ackTimeoutMs = 0;
    if (executed?.hasWrites) {
      const refusal = this.#rules.refusalOfTransaction(client, executed);
      if (refusal !== null) return refusal;
    } else if (spec.isWrite) {
      const refusal = this.#rules.refusal(spec, client, args);
      if (refusal !== null) return refusal;
    }
    if (isQueued) {
      const refusal = this.#rules.refusalOfQueueing();
      if (refusal !== null) return refusal;
    }
    if (isQueued && spec.flags.includes('no_multi')) return NOT_IN_TRANSACTION;
    const restriction = refusalWhileSubscribed(client, spec);
    if (restriction !== null) return restriction;
    if (executed !== null && this.#refusesStale() && executed.needsLeader) return MASTERDOWN;
    const { shard } = this.#node;
    const isRefused = executed ? executed.needsData && !shard.mayRead : isRefusedLoading(spec, shard);
    return isRefused ? LOADING : null;
  }

  /** EXEC: runs what was queued, and nothing else in between. */
  #exec(client: Client, reply: ReplyWriter): void {
    const { transaction } = client;
    const { watched } = this.#node.observers;
    const isStale = client.hasStaleWatch || watched.hasExpired(client);
    if (transaction !== null) endTransaction(client, watched);
    if (transaction === null) reply.error('ERR EXEC without MULTI');
    else if (transaction.isAborted) reply.error(ABORTED);
    else if (isStale) reply.nullArray();
    else this.#runTransaction(transaction, client, reply);
  }

  #runTransaction(transaction: Transaction, client: Client, reply: ReplyWriter): void {
    this.#node.observers.begin(client);
    const { mayBlock } = client;
    client.isExecuting = true;
    client.mayBlock = false;
    reply.arrayHeader(transaction.length);
    this.#data.log.beginUnit();
    try {
      for (const [spec, args] of transaction.commands()) this.#runQueued(spec, client, args, reply);
    } finally {
      this.#data.log.endUnit();
      client.isExecuting = false;
      client.mayBlock = mayBlock;
      client.lastCommand = 'exec';
    }
    const connection = this.#node.clients.get(client.id);
    for (const message of client.deferred) connection?.push(message);
    client.deferred = [];
  }

  #runQueued(spec: CommandSpec, client: Client, args: Args, reply: ReplyWriter): void {
    this.#node.stats.commands++;
    const handler = this.#handlers[spec.id]!;
    const refusal =
      this.#node.access.refusalInExec(client, spec, args) ??
      (spec.isWrite ? this.#rules.refusalByNamespace(spec, client, args) : null);
    if (refusal !== null) reply.error(refusal);
    else if (spec.isWrite) this.#callWrite(handler, spec, client, args, reply);
    else this.#call(handler, spec, client, args, reply);
  }

  /** Puts the command into the stream if it changed data and did not say how. */
  #logChange(args: Args, dirtyBefore: number): void {
    const { dirty, logged } = this.#data;
    if (dirty !== dirtyBefore && !logged) this.#context.keyspace.logSame(args);
  }

  /** Notes what the reply of a write owes that began when the stream stood at `before`. */
  #owe(before: number): void {
    this.needsLease = this.#node.shard.clustered;
    const hasChanged = this.#data.log.end !== before;
    this.followerTimeoutMs = hasChanged ? this.#rules.ackTimeoutMs : 0;
    this.awaitsDisk = hasChanged && this.#node.aof.holdsReplies;
  }
}

function handlersById(): (CommandHandler | undefined)[] {
  const byId: (CommandHandler | undefined)[] = new Array(commandIdCount).fill(undefined);
  for (const spec of [...commands, ...commands.flatMap((container) => container.subcommands)]) {
    byId[spec.id] = handlers[spec.name.toUpperCase()];
  }
  return byId;
}
