import {
  ControlCore,
  type CoreEvent,
  type CoreOptions,
  type Effect,
} from '../../../control-plane/core/index.ts';
import { decodeRecord, encodeRecord } from '../../../control-plane/state/record.ts';
import type { Random } from '../../../lib/base/index.ts';
import type { RingDocument } from '../../../lib/ring/index.ts';
import { type Connection, Process, type Timeline } from './events.ts';
import type { ControlHost, ToControl, ToNode } from './node-model.ts';

type Ordered = Extract<Effect, { type: 'persist' | 'push' | 'answer' }>;

/** The disk of the control plane. */
export interface ControlDisk {
  text: string | null;
}

/** The real core in a process that performs its effects in the order promised, with a slow disk, and may die between any two. */
export class ControlModel extends Process {
  readonly core: ControlCore;
  readonly #disk: ControlDisk;
  readonly #random: Random;
  readonly #sessions = new Map<number, Connection<ToNode, ToControl>>();
  readonly #trace: (line: string) => void;
  readonly #onPushed: (document: RingDocument) => void;
  #queue: Ordered[] = [];
  #saving = false;
  #next = 1;
  readonly answers: Extract<Effect, { type: 'answer' }>['answer'][] = [];

  constructor(options: {
    timeline: Timeline;
    random: Random;
    disk: ControlDisk;
    core: CoreOptions;
    trace: (line: string) => void;
    onPushed: (document: RingDocument) => void;
  }) {
    super(options.timeline, 'control-plane', options.random);
    this.#disk = options.disk;
    this.#random = options.random;
    this.#trace = options.trace;
    this.#onPushed = options.onPushed;
    const record = options.disk.text === null ? null : decodeRecord(options.disk.text);
    this.core = new ControlCore(options.core, record, this.clockMs);
    this.every(options.core.tickMs, () => this.submit({ type: 'tick' }));
  }

  crash(): void {
    this.alive = false;
    for (const connection of this.#sessions.values()) connection.close();
  }

  submit(event: CoreEvent): void {
    for (const effect of this.core.handle(event, this.clockMs)) this.#perform(effect);
  }

  accept(connection: Connection<ToNode, ToControl>): ReturnType<ControlHost['accept']> {
    const session = this.#next++;
    this.#sessions.set(session, connection);
    return {
      receive: (message) => this.#sessions.has(session) && this.#receive(session, message),
      closed: () => this.#forget(session),
    };
  }

  #receive(session: number, message: ToControl): void {
    switch (message.type) {
      case 'hello':
        this.submit({ type: 'hello', session, hello: message.hello });
        break;
      case 'heartbeat':
        this.submit({ type: 'heartbeat', session, heartbeat: message.heartbeat });
        break;
      case 'ack': {
        const { incarnation, epoch, sha256 } = message.document;
        this.submit({ type: 'ack', session, ack: { nonce: '1', incarnation, epoch, sha256 } });
        break;
      }
      case 'sealed':
        this.submit({ type: 'sealed', session, sealed: message.sealed });
    }
  }

  #forget(session: number): void {
    if (this.#sessions.delete(session)) this.submit({ type: 'disconnect', session });
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'seal':
        this.#sessions.get(effect.session)?.toFirst({ type: 'seal', epoch: Number(effect.epoch) });
        break;
      case 'grant': {
        const { seq, granted, shardEpoch } = effect;
        const reply = { type: 'reply', seq: Number(seq), granted, shardEpoch: Number(shardEpoch) } as const;
        this.#sessions.get(effect.session)?.toFirst(reply);
        break;
      }
      case 'refuse':
        this.#sessions.get(effect.session)?.toFirst({ type: 'refused' });
        break;
      case 'log':
        this.#trace(effect.message);
        break;
      case 'welcome':
        break;
      default:
        this.#queue.push(effect);
        this.#drain();
    }
  }

  #drain(): void {
    while (!this.#saving && this.#queue.length > 0) {
      const effect = this.#queue.shift()!;
      if (effect.type === 'persist') this.#save(encodeRecord(effect.record));
      else if (effect.type === 'answer') this.answers.push(effect.answer);
      else this.#push(effect.session, effect.document);
    }
  }

  #push(session: number, document: RingDocument): void {
    this.#onPushed(document);
    this.#sessions.get(session)?.toFirst({ type: 'push', document });
  }

  /** The write reaches the disk some time later; whether the process lives to know it is another matter. */
  #save(text: string): void {
    this.#saving = true;
    this.timeline.after(0.5 + this.#random.next() * 10, () => {
      if (!this.alive) return;
      this.#disk.text = text;
      this.timeline.after(this.#random.next() * 5, () =>
        this.act(() => {
          this.#saving = false;
          this.#drain();
        }),
      );
    });
  }
}
