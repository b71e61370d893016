import { type ServerDuplexStream, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Logger } from '../lib/base/index.ts';
import type { AgentMessage, ControlMessage } from '../lib/codec/proto/index.ts';
import type { RingDocument } from '../lib/ring/index.ts';
import type { CoreEvent, RefusalReason } from './core/index.ts';
import type { AgentPort } from './driver.ts';

/** A stream must introduce itself within this time. */
const HELLO_TIMEOUT_MS = 5000;

type Call = ServerDuplexStream<AgentMessage, Partial<ControlMessage>>;

interface Session {
  readonly call: Call;
  readonly peer: string;
  greeted: boolean;
  /** The newest document, held back while the agent does not read. */
  waiting: RingDocument | null;
  /** Of the last push; counts up. */
  nonce: number;
  helloTimer: NodeJS.Timeout | undefined;
}

const refusals: Record<RefusalReason, status> = {
  invalid: status.INVALID_ARGUMENT,
  shard_unknown: status.FAILED_PRECONDITION,
  id_in_use: status.ALREADY_EXISTS,
  replaced: status.ABORTED,
};

/** What the service counts. */
export interface AttachStats {
  pushes: number;
  acks: number;
  nacks: number;
  /** Messages not sent because the agent does not read; seals and documents follow later. */
  skipped: number;
}

/**
 * The Attach streams of all agents. To an agent that does not read, only the newest document is kept, and replies that
 * would be stale by the time it reads are skipped: a slow agent costs a bounded amount of memory.
 */
export class AttachService implements AgentPort {
  readonly stats: AttachStats = { pushes: 0, acks: 0, nacks: 0, skipped: 0 };
  readonly #sessions = new Map<number, Session>();
  readonly #texts = new WeakMap<RingDocument, string>();
  readonly #log: Logger;
  readonly #submit: (event: CoreEvent) => void;
  #next = 1;

  /** `submit` takes the events in. */
  constructor(submit: (event: CoreEvent) => void, log: Logger) {
    this.#submit = submit;
    this.#log = log;
  }

  /** The handlers for grpc-js. */
  get implementation(): UntypedServiceImplementation {
    return { Attach: (call: Call) => this.#attach(call) };
  }

  /** Streams open now. */
  get size(): number {
    return this.#sessions.size;
  }

  welcome(session: number, welcome: { heartbeatMs: number; leaseMs: number; suspectAfterMs: number }): void {
    this.#send(session, { welcome });
  }

  seal(session: number, shard: string, epoch: string): void {
    this.#send(session, { seal: { shard, epoch } });
  }

  grant(
    session: number,
    { seq, granted, shardEpoch }: { seq: string; granted: boolean; shardEpoch: string },
  ): void {
    this.#send(session, { heartbeatReply: { seq, granted, shardEpoch } });
  }

  push(id: number, document: RingDocument): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    if (session.call.writableNeedDrain) {
      session.waiting = document;
      return;
    }
    session.waiting = null;
    session.nonce++;
    this.stats.pushes++;
    session.call.write({
      push: { nonce: String(session.nonce), ringJson: this.#textOf(document) },
    } as ControlMessage);
  }

  refuse(id: number, reason: RefusalReason, message: string): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) this.#end(id, session, refusals[reason], message);
  }

  /** Ends every stream; agents come back to whoever answers next. */
  close(): void {
    for (const [id, session] of this.#sessions) {
      this.#end(id, session, status.UNAVAILABLE, 'the control plane is shutting down');
    }
  }

  #attach(call: Call): void {
    const id = this.#next++;
    const session: Session = {
      call,
      peer: call.getPeer(),
      greeted: false,
      waiting: null,
      nonce: 0,
      helloTimer: setTimeout(
        () => this.#end(id, session, status.DEADLINE_EXCEEDED, 'no Hello came'),
        HELLO_TIMEOUT_MS,
      ),
    };
    this.#sessions.set(id, session);
    call.on('data', (message: AgentMessage) => this.#receive(id, session, message));
    call.on('drain', () => {
      if (session.waiting !== null) this.push(id, session.waiting);
    });
    call.on('end', () => {
      this.#forget(id);
      call.end();
    });
    call.on('cancelled', () => this.#forget(id));
    call.on('error', () => this.#forget(id));
  }

  #receive(id: number, session: Session, message: AgentMessage): void {
    if (!this.#sessions.has(id)) return;
    if (session.greeted === (message.message === 'hello') || message.message === undefined) {
      this.#end(id, session, status.INVALID_ARGUMENT, 'a stream begins with Hello, sent once');
      return;
    }
    switch (message.message) {
      case 'hello':
        session.greeted = true;
        clearTimeout(session.helloTimer);
        this.#submit({ type: 'hello', session: id, hello: message.hello });
        break;
      case 'heartbeat':
        this.#submit({ type: 'heartbeat', session: id, heartbeat: message.heartbeat });
        break;
      case 'ack':
        this.stats.acks++;
        if (Number(message.ack.nonce) <= session.nonce)
          this.#submit({ type: 'ack', session: id, ack: message.ack });
        break;
      case 'nack':
        this.stats.nacks++;
        this.#submit({ type: 'nack', session: id, nack: message.nack });
        break;
      case 'refresh':
        this.#submit({ type: 'refresh', session: id });
        break;
      case 'sealed':
        this.#submit({ type: 'sealed', session: id, sealed: message.sealed });
    }
  }

  #send(id: number, message: Partial<ControlMessage>): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    if (session.call.writableNeedDrain) this.stats.skipped++;
    else session.call.write(message as ControlMessage);
  }

  #end(id: number, session: Session, code: status, details: string): void {
    this.#log.debug({ peer: session.peer, details }, 'ending a stream');
    this.#forget(id);
    session.call.emit('error', { code, details });
  }

  #forget(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    clearTimeout(session.helloTimer);
    this.#sessions.delete(id);
    if (session.greeted) this.#submit({ type: 'disconnect', session: id });
  }

  #textOf(document: RingDocument): string {
    let text = this.#texts.get(document);
    if (text === undefined) {
      text = JSON.stringify(document);
      this.#texts.set(document, text);
    }
    return text;
  }
}
