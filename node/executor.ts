import { errorCatalogue, RingsideError } from '../lib/base/index.ts';
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
import type { CommandContext, CommandHandler } from './commands/command.ts';
import { handlers } from './commands/index.ts';
import type { DataSet } from './data-set.ts';
import type { Databases } from './databases.ts';
import { makeRoom } from './memory-limit.ts';
import type { KeyWait } from './server/blocked.ts';
import type { Client } from './server/client.ts';
import { ReplyWriter } from './server/reply-writer.ts';
import type { NodeServices } from './services.ts';

const NOAUTH = errorCatalogue.unauthorized.resp;
const READONLY = errorCatalogue.read_only.resp;
const LOADING = errorCatalogue.loading.resp;
const NOREPLICAS = errorCatalogue.no_replicas.resp;
const OOM = errorCatalogue.out_of_memory.resp;

/**
 * Runs commands: finds the handler, and says no where the state of the client or of the node forbids it. Knows no sockets; one per
 * node.
 *
 * What a write owes before its reply may go out is in `needsLease` and `followerTimeoutMs` after each `execute`.
 */
export class Executor {
  readonly #context: CommandContext;
  readonly #node: NodeServices;
  readonly #databases: Databases;
  readonly #data: DataSet;
  readonly #handlers: readonly (CommandHandler | undefined)[];
  /** The command under way; undefined when it is unknown. */
  #spec: CommandSpec | undefined;
  #nowMs = 0;
  #mayWrite = false;
  /** Milliseconds that the reply of the write under way waits for a follower if it changes anything. */
  #ackTimeoutMs = 0;
  /** The last command was a write of a clustered node: its reply may only go out under the lease. */
  needsLease = false;
  /** The last command changed data whose namespace has `ack: replica`: milliseconds its reply waits for a follower; else 0. */
  followerTimeoutMs = 0;

  constructor(databases: Databases, node: NodeServices) {
    this.#databases = databases;
    this.#data = databases.data;
    this.#node = node;
    this.#context = {
      databases,
      keyspace: databases.at(0),
      node,
      client: null as unknown as Client,
    };
    this.#handlers = handlersById();
  }

  /** To be called before the commands of one chunk: what they see of time and lease is this moment's. */
  beginTurn(): void {
    this.#data.nowMs = this.#node.clock.wallMs();
    this.#nowMs = this.#node.clock.monotonicMs();
    this.#mayWrite = this.#node.shard.mayWrite(this.#nowMs);
    this.#node.watch.beginTurn(this.#nowMs);
  }

  /** To be called behind the last command of a chunk. */
  endTurn(): void {
    this.#node.watch.endTurn();
  }

  /** Monotonic milliseconds of the turn. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Executes one command; writes one reply (but none to the messages of a replication link). */
  execute(client: Client, args: Args, reply: ReplyWriter): void {
    this.needsLease = false;
    this.followerTimeoutMs = 0;
    this.#node.stats.commands++;
    const { errors } = reply;
    const problem = this.#run(client, args, reply);
    if (problem !== null) {
      reply.error(problem);
      if (this.#spec !== undefined) this.#node.watch.stats.rejected[this.#spec.id]++;
    }
    client.writeOffset = this.#data.log.end;
    if (reply.errors !== errors) this.#node.stats.countError(reply.lastErrorCode);
    if (this.#node.blocked.hasReady) this.#serveBlocked();
  }

  /** Serves the clients whose keys have got data, first come first served, and then those whom that has made ready in turn. */
  #serveBlocked(): void {
    const { blocked } = this.#node;
    const { needsLease, followerTimeoutMs } = this;
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
  }

  /** Tries to serve one blocked client with a key that has data. */
  #serve(client: Client, wait: KeyWait, key: Buffer): void {
    const { args, firstKey, lastKey, serve } = wait;
    const spec = lookupCommand(args.buffer, args.start(0), args.end(0))!;
    let i = firstKey;
    while (i < lastKey && !args.bytes(i).equals(key)) i++;
    const reply = new ReplyWriter();
    reply.protocol = client.protocol;
    const before = this.#data.log.end;
    const { dirty } = this.#data;
    this.needsLease = false;
    this.followerTimeoutMs = 0;
    const refusal = this.#refusalOfWrite(spec, client, args);
    if (refusal === null) {
      this.#data.logged = false;
      this.#context.client = client;
      this.#context.keyspace = this.#databases.at(client.database);
      if (!serve(this.#context, args, i, reply)) return;
      this.#logChange(args, dirty);
      this.#owe(before);
    } else reply.error(refusal);
    const { needsLease, followerTimeoutMs } = this;
    const { blocked, clients } = this.#node;
    client.writeOffset = this.#data.log.end;
    blocked.remove(client);
    const bytes = reply.take();
    const debt = { needsLease, followerTimeoutMs, offset: client.writeOffset };
    clients.get(client.id)?.answer(wait.muted ? bytes.subarray(0, 0) : bytes, debt);
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
    const refusal = client.authenticated ? null : spec.noAuth ? null : NOAUTH;
    if (refusal !== null) return refusal;
    if (spec.isWrite) return this.#write(handler, spec, client, args, reply);
    if (!this.#node.shard.complete && !spec.allowedLoading && spec.isReadonly) return LOADING;
    this.#call(handler, spec, client, args, reply);
    return null;
  }

  #call(handler: CommandHandler, spec: CommandSpec, client: Client, args: Args, reply: ReplyWriter): void {
    const { watch } = this.#node;
    client.lastCommand = spec.name;
    this.#context.client = client;
    this.#context.keyspace = this.#databases.at(client.database);
    const { errors, length } = reply;
    const started = watch.begins(spec, args);
    handler(this.#context, args, reply);
    watch.ended(spec, client, args, started, reply.length - length, reply.errors !== errors);
  }

  #write(
    handler: CommandHandler,
    spec: CommandSpec,
    client: Client,
    args: Args,
    reply: ReplyWriter,
  ): string | null {
    const refusal = this.#refusalOfWrite(spec, client, args);
    if (refusal !== null) return refusal;
    const before = this.#data.log.end;
    const { dirty } = this.#data;
    this.#data.logged = false;
    this.#call(handler, spec, client, args, reply);
    this.#logChange(args, dirty);
    this.#owe(before);
    return null;
  }

  /** Why the write may not be executed now; null when it may. Sets how long its reply would wait for a follower. */
  #refusalOfWrite(spec: CommandSpec, client: Client, args: Args): string | null {
    const { ackRules, settings, followers } = this.#node;
    if (client.shardEpoch >= 0) {
      const stale = this.#staleness(client);
      if (stale !== null) return stale;
    }
    if (!this.#mayWrite) return READONLY;
    this.#ackTimeoutMs = ackRules.waits ? ackRules.timeoutOf(spec, args) : 0;
    if (this.#ackTimeoutMs > 0 && followers.replicatedOffset < 0) return NOREPLICAS;
    if (!makeRoom(this.#databases, settings) && spec.deniesOom) return OOM;
    return null;
  }

  /** Puts the command into the stream if it changed data and did not say how. */
  #logChange(args: Args, dirtyBefore: number): void {
    const { dirty, logged, log } = this.#data;
    if (dirty !== dirtyBefore && !logged) this.#context.keyspace.logCommand(verbatim(args, log.active));
  }

  /** Notes what the reply of a write owes that began when the stream stood at `before`. */
  #owe(before: number): void {
    this.needsLease = this.#node.shard.clustered;
    this.followerTimeoutMs = this.#data.log.end !== before ? this.#ackTimeoutMs : 0;
  }

  #staleness(client: Client): string | null {
    const { shard } = this.#node;
    if (client.shard !== shard.shard) {
      return new RingsideError(
        'stale_ring',
        `this node serves shard ${shard.shard}, not ${client.shard}`,
      ).toResp();
    }
    if (client.shardEpoch === shard.epoch) return null;
    const behind = client.shardEpoch > shard.epoch;
    if (behind) shard.onBehind();
    const at = `shard ${shard.shard} is at epoch ${shard.epoch}, the connection at ${client.shardEpoch}`;
    return new RingsideError('stale_ring', behind ? `${at}: this node is behind` : at).toResp();
  }
}

/** The command as it came. */
function verbatim(args: Args, isWanted: boolean): Buffer[] {
  const parts: Buffer[] = [];
  for (let i = 0; isWanted && i < args.count; i++) parts.push(args.bytes(i));
  return parts;
}

function handlersById(): (CommandHandler | undefined)[] {
  const byId: (CommandHandler | undefined)[] = new Array(commandIdCount).fill(undefined);
  for (const spec of [...commands, ...commands.flatMap((container) => container.subcommands)]) {
    byId[spec.id] = handlers[spec.name.toUpperCase()];
  }
  return byId;
}
