import type { RequestParser } from '../../lib/codec/resp/index.ts';
import type { CommandSpec } from '../../lib/commands/index.ts';
import { noRing } from '../core/fan-out.ts';
import { plainError } from '../core/frames.ts';
import { CROSS_SLOT } from '../core/key-routes.ts';
import type { PinnedSession } from '../core/pinned-session.ts';
import { DATABASES } from '../core/topology.ts';
import { type Unit, UnitFrame } from '../core/unit.ts';
import { abortReply } from '../core/unit-replies.ts';
import type { RespConnection } from './connection.ts';
import type { ConnectionMode, ModeFacts } from './mode.ts';
import { execute } from './transaction-exec.ts';
import { refusalInExec } from './transaction-permissions.ts';
import { type Place, placeOf } from './transaction-place.ts';

const OK = Buffer.from('+OK\r\n');
const QUEUED = Buffer.from('+QUEUED\r\n');
const ABORTED = Buffer.from('-EXECABORT Transaction discarded because of previous errors.\r\n');

/**
 * What MULTI has begun for one client. Commands are checked and kept here; EXEC sends them in one piece to the one shard that has all their
 * keys. Those that the proxy answers by itself run right behind, if the piece ran.
 */
export class Transaction implements ConnectionMode {
  readonly #connection: RespConnection;
  /** The ring by which the shards of keys were told. */
  readonly #ring: unknown;
  readonly #frame = new UnitFrame();
  readonly #here = new Map<number, Buffer>();
  #hereBytes = 0;
  #shard: string | null;
  #isAborted = false;
  #isWrite = false;
  #selects = false;
  #selected: number | null = null;

  constructor(connection: RespConnection) {
    this.#connection = connection;
    this.#ring = connection.context.router.ring;
    this.#shard = connection.watching?.shard ?? null;
  }

  /** Commands queued. */
  get length(): number {
    return this.#frame.commands + this.#here.size;
  }

  /** Memory taken. */
  get bytes(): number {
    return this.#frame.bytes + this.#hereBytes;
  }

  take(connection: RespConnection, args: RequestParser, spec: CommandSpec): boolean {
    switch (spec.name) {
      case 'exec':
        this.#exec();
        return true;
      case 'discard':
        this.#end()?.unwatch();
        connection.reply(OK);
        connection.tracking?.executed();
        return true;
      case 'multi':
        connection.replyError('ERR MULTI calls can not be nested');
        return true;
      case 'watch':
        connection.replyError('ERR WATCH inside MULTI is not allowed');
        return true;
      case 'quit':
      case 'reset':
        return false;
      default:
        this.#queue(args, spec);
        return true;
    }
  }

  facts(): ModeFacts {
    return { queuedCommands: this.length, queuedBytes: this.bytes, flags: 'x' };
  }

  refused(): void {
    this.#isAborted = true;
  }

  closed(): void {
    this.#connection.transaction = null;
  }

  #queue(args: RequestParser, spec: CommandSpec): void {
    const refusal = this.#refusalOf(args, spec);
    if (refusal !== null) this.#isAborted = true;
    this.#connection.reply(refusal ?? QUEUED);
  }

  /** Null: the command is queued now (or dropped, in a transaction that EXEC will refuse). */
  #refusalOf(args: RequestParser, spec: CommandSpec): Buffer | null {
    const { router, maxHeldBytes } = this.#connection.context;
    if (router.routes.length === 0) return noRing();
    const place = placeOf(router, args, spec);
    if (typeof place === 'object' && 'refusal' in place) return plainError(place.refusal);
    if (this.#isAborted) return null;
    if (this.bytes + args.frameEnd - args.frameStart > maxHeldBytes)
      return plainError(
        `OVERLOADED a transaction may take ${maxHeldBytes} bytes (proxy.limits.maxBufferedBytesPerConnection)`,
      );
    return this.#keep(place, args, spec) ? null : plainError(CROSS_SLOT);
  }

  /** False when the command is of another shard than those before. */
  #keep(place: Place, args: RequestParser, spec: CommandSpec): boolean {
    if (place === 'here') {
      const frame = Buffer.from(args.buffer.subarray(args.frameStart, args.frameEnd));
      this.#here.set(this.length, frame);
      this.#hereBytes += frame.length;
      return true;
    }
    if (place !== 'along') {
      this.#shard ??= place.shard;
      if (this.#shard !== place.shard) return false;
    }
    this.#frame.add(args);
    this.#connection.tracking?.queued(spec, args);
    this.#isWrite ||= spec.isWrite;
    if (spec.name === 'select') this.#select(args.integer(1));
    return true;
  }

  #select(index: number | null): void {
    this.#selects = true;
    if (index !== null && index >= 0 && index < DATABASES) this.#selected = index;
  }

  #exec(): void {
    const connection = this.#connection;
    const session = this.#end();
    const hasMoved = this.#shard !== null && connection.context.router.ring !== this.#ring;
    if (this.#isAborted || hasMoved) {
      session?.unwatch();
      connection.reply(
        this.#isAborted
          ? ABORTED
          : abortReply('STALERING the ring has changed since MULTI; nothing was sent'),
      );
      connection.tracking?.executed();
      return;
    }
    const unit = this.#unit(session);
    const refusal = unit && refusalInExec(connection, unit.frame);
    if (refusal !== null) {
      session?.unwatch();
      connection.replyError(refusal);
      return;
    }
    const execution = { unit, here: this.#here, selected: this.#selected };
    execute(connection, execution, session);
  }

  /** Null when there is nothing to ask a shard. */
  #unit(session: PinnedSession | null): Unit | null {
    if (this.#frame.commands === 0 && session === null) return null;
    const { protocol, database, context } = this.#connection;
    return {
      shard: this.#shard ?? context.router.routes[0].name,
      protocol,
      database,
      frame: this.#frame.finish(),
      commands: this.#frame.commands,
      isWrite: this.#isWrite,
      selects: this.#selects,
    };
  }

  /** Nothing of it is left at the client; what was watched for it is handed over. */
  #end(): PinnedSession | null {
    const connection = this.#connection;
    connection.leave(this);
    connection.transaction = null;
    return connection.endWatch();
  }
}
