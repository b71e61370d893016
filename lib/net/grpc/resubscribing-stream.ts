import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Logger, Random } from '../../base/index.ts';
import { type BackoffOptions, BackoffPolicy } from '../backoff.ts';

/** One attempt at a stream: the call, and how to let go of the channel under it. */
export interface StreamAttempt<Out, In> {
  readonly stream: ClientDuplexStream<Out, In>;
  /** Called once, after the stream has ended. */
  dispose(): void;
}

/** What a resubscribing stream needs. */
export interface ResubscribeOptions<Out, In> {
  /** Starts a call, on a channel of its own, so that a hung connection is not met again. May throw. */
  readonly open: () => StreamAttempt<Out, In>;
  /** A new call has begun: send the greeting here. */
  readonly onOpen: (send: (message: Out) => void) => void;
  readonly onMessage: (message: In) => void;
  /** The call is over; another attempt follows unless the stream was closed. */
  readonly onDown?: (reason: string) => void;
  readonly backoff: BackoffOptions;
  /** Milliseconds without a message after which the call is given up; also the deadline of the first message. */
  readonly silenceTimeoutMs: number;
  readonly random: Random;
  readonly log: Logger;
}

/** A stream that reconnects for ever. */
export interface ResubscribingStream<Out> {
  /** A message has arrived on the present call. */
  readonly up: boolean;
  /** Sends on the present call; false, and the message is gone, when it is not `up` or when what is already waiting exceeds the stream's own buffer. */
  send(message: Out): boolean;
  /** Ends the call and the attempts. */
  close(): void;
}

/**
 * Keeps a bidirectional stream open: whenever it ends, fails or falls silent, it is opened again after a delay (exponential,
 * full jitter) that starts over once a message has arrived.
 */
export function resubscribingStream<Out, In>(options: ResubscribeOptions<Out, In>): ResubscribingStream<Out> {
  return new Resubscriber(options);
}

class Resubscriber<Out, In> implements ResubscribingStream<Out> {
  readonly #options: ResubscribeOptions<Out, In>;
  readonly #backoff: BackoffPolicy;
  #attempt: StreamAttempt<Out, In> | null = null;
  #silence: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #lastReason = '';
  up = false;

  constructor(options: ResubscribeOptions<Out, In>) {
    this.#options = options;
    this.#backoff = new BackoffPolicy(options.backoff, options.random);
    // The caller gets the stream before its callbacks run.
    queueMicrotask(() => this.#open());
  }

  send(message: Out): boolean {
    const stream = this.#attempt?.stream;
    if (!stream || !this.up || stream.writableNeedDrain || !stream.writable) return false;
    stream.write(message);
    return true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    const attempt = this.#attempt;
    this.#drop();
    attempt?.stream.end();
    attempt?.stream.cancel();
    attempt?.dispose();
  }

  #open(): void {
    if (this.#closed) return;
    let attempt: StreamAttempt<Out, In>;
    try {
      attempt = this.#options.open();
    } catch (error) {
      this.#scheduleRetry(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#attempt = attempt;
    const { stream } = attempt;
    stream.on('data', (message: In) => this.#received(attempt, message));
    stream.on('error', (error: Error) => this.#lost(attempt, error.message));
    stream.on('end', () => this.#lost(attempt, 'the server ended the stream'));
    this.#watchSilence(attempt);
    this.#options.onOpen((message) => void stream.write(message));
  }

  #received(attempt: StreamAttempt<Out, In>, message: In): void {
    if (attempt !== this.#attempt) return;
    if (!this.up) {
      this.up = true;
      this.#backoff.reset();
      this.#lastReason = '';
    }
    this.#silence?.refresh();
    this.#options.onMessage(message);
  }

  #watchSilence(attempt: StreamAttempt<Out, In>): void {
    const { silenceTimeoutMs } = this.#options;
    this.#silence = setTimeout(() => {
      this.#lost(attempt, `nothing arrived for ${silenceTimeoutMs} ms`);
    }, silenceTimeoutMs);
  }

  #lost(attempt: StreamAttempt<Out, In>, reason: string): void {
    if (attempt !== this.#attempt) return;
    this.#drop();
    attempt.stream.cancel();
    attempt.dispose();
    this.#scheduleRetry(reason);
  }

  #drop(): void {
    clearTimeout(this.#silence);
    this.#attempt = null;
    this.up = false;
  }

  #scheduleRetry(reason: string): void {
    this.#options.onDown?.(reason);
    if (this.#closed) return;
    if (reason !== this.#lastReason) this.#options.log.warn({ reason }, 'stream lost, trying again');
    this.#lastReason = reason;
    this.#retry = setTimeout(() => this.#open(), this.#backoff.nextDelayMs());
  }
}
