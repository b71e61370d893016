import type { CommandPart } from '../../lib/codec/resp/index.ts';
import { RespWriter } from '../../lib/codec/resp/index.ts';
import { NOTIFY_GENERIC } from '../data-set.ts';
import type { Client } from '../server/client.ts';
import type { Debt } from '../server/client-registry.ts';
import type { NodeServices } from '../services.ts';
import { Migration, type MigrationRequest } from './migration.ts';
import { isError, type OpenSocket, Target, TargetError } from './target.ts';

/** A client's MIGRATE. */
export interface MigrateCommand extends MigrationRequest {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  /** How long nothing may happen, in milliseconds. */
  readonly timeoutMs: number;
  /** Arguments of AUTH; null for none. */
  readonly credentials: readonly string[] | null;
  /** Milliseconds that the reply waits for a follower. */
  readonly ackTimeoutMs: number;
}

/** Moves keys to other servers, while whoever asked for it waits like a blocked client and everybody else goes on. */
export class Migrations {
  readonly #open: OpenSocket;
  readonly #targets = new Set<Target>();
  #isClosed = false;

  constructor(open: OpenSocket) {
    this.#open = open;
  }

  /** Lets the client wait, and answers it in the end. */
  start(command: MigrateCommand, client: Client, node: NodeServices): void {
    const deadlineMs = Number.POSITIVE_INFINITY;
    node.blocked.add(client, { kind: 'migration', deadlineMs, muted: false });
    const debts: Debt[] = [];
    void this.#run(command, client, node, debts).then((problem) => {
      if (!this.#isClosed) answer(client, node, problem, debts);
    });
  }

  /** Null when all is done, else the text of an error. */
  async #run(
    command: MigrateCommand,
    client: Client,
    node: NodeServices,
    debts: Debt[],
  ): Promise<string | null> {
    let target: Target | null = null;
    try {
      target = await Target.connect(this.#open, command.host, command.port, command.timeoutMs);
      this.#targets.add(target);
      const refusal = await introduce(target, command);
      if (refusal !== null) return refusal;
      return await new Migration(command, target, {
        tick: () => {
          command.keyspace.data.nowMs = node.clock.wallMs();
        },
        remove: (keys) => {
          const debt = remove(keys, command, client, node);
          if (typeof debt === 'string') return debt;
          debts.push(debt);
          return null;
        },
      }).run();
    } catch (error) {
      if (error instanceof TargetError) return ioError(error);
      node.log.error({ err: error }, 'MIGRATE failed in an unforeseen way');
      return `ERR internal error: ${error}`;
    } finally {
      if (target !== null) this.#targets.delete(target);
      target?.close();
    }
  }

  /** Gives up what is under way. */
  close(): void {
    this.#isClosed = true;
    for (const target of this.#targets) target.close();
  }
}

/** Logs in and selects the database; the text of an error, or null. */
async function introduce(target: Target, { credentials, database }: MigrateCommand): Promise<string | null> {
  const commands: CommandPart[][] = [['SELECT', database]];
  if (credentials !== null) commands.unshift(['AUTH', ...credentials]);
  const refusal = (await target.send(commands)).find(isError);
  return refusal === undefined ? null : `ERR Target instance replied with error: ${refusal.slice(1)}`;
}

function remove(
  keys: readonly Buffer[],
  { keyspace, ackTimeoutMs }: MigrateCommand,
  client: Client,
  node: NodeServices,
): Debt | string {
  return node.aside.change(client, ackTimeoutMs, () => {
    for (const key of keys) {
      const slot = keyspace.find(key, 0, key.length);
      // It may have been evicted a moment ago.
      if (slot === 0) continue;
      keyspace.remove(slot);
      keyspace.notify(NOTIFY_GENERIC, 'del', key, 0, key.length);
    }
  });
}

/** In Redis's words. */
function ioError({ doing }: TargetError): string {
  if (doing === 'connecting') return 'IOERR error or timeout connecting to the client';
  return `IOERR error or timeout ${doing} to target instance`;
}

function answer(client: Client, node: NodeServices, problem: string | null, debts: readonly Debt[]): void {
  const wait = client.blocked;
  if (wait?.kind !== 'migration') return;
  const reply = new RespWriter();
  reply.protocol = client.protocol;
  if (problem === null) reply.ok();
  else {
    reply.error(problem);
    node.stats.countError(problem.slice(0, problem.indexOf(' ')));
    node.watch.hasFailed('migrate');
  }
  node.blocked.remove(client);
  const bytes = reply.take();
  const debt = {
    needsLease: debts.some(({ needsLease }) => needsLease),
    followerTimeoutMs: Math.max(0, ...debts.map(({ followerTimeoutMs }) => followerTimeoutMs)),
    awaitsDisk: debts.some(({ awaitsDisk }) => awaitsDisk),
    offset: client.writeOffset,
  };
  node.clients.get(client.id)?.answer(wait.muted ? bytes.subarray(0, 0) : bytes, debt);
}
