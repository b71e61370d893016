import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ByteBudget } from '../listener/index.ts';

const MIN_COUNTED_BYTES = 4096;

/**
 * Counts responses against the budget until the client has read them, and gives up on a client that reads nothing for
 * `timeoutMs`.
 */
export class HeldResponses {
  readonly #budget: ByteBudget;
  readonly #timeoutMs: number;
  readonly #isIdleAllowed: boolean;
  readonly #heldBySocket = new Map<Socket, number>();

  /** `isIdleAllowed`: idle connections stay open for ever; else Node closes them, and sets its timer after each response. */
  constructor(budget: ByteBudget, timeoutMs: number, isIdleAllowed: boolean) {
    this.#budget = budget;
    this.#timeoutMs = timeoutMs;
    this.#isIdleAllowed = isIdleAllowed;
  }

  /** To be called before a response of `bytes` is written. Throws RingsideError `overloaded`. Small ones are not counted. */
  hold(response: ServerResponse, bytes: number): void {
    if (bytes < MIN_COUNTED_BYTES || response.destroyed) return;
    const socket = response.req.socket;
    if (socket.destroyed) return;
    if (!this.#budget.take(bytes)) throw this.#budget.exceeded();
    const held = this.#heldBySocket.get(socket);
    // Pipelined responses that wait for their turn are not told when the socket closes.
    if (held === undefined) socket.once('close', () => this.#release(socket));
    this.#heldBySocket.set(socket, (held ?? 0) + bytes);
    response.once('close', () => this.#reduce(socket, bytes));
    socket.setTimeout(this.#timeoutMs);
  }

  #reduce(socket: Socket, bytes: number): void {
    const held = this.#heldBySocket.get(socket);
    if (held === undefined) return;
    this.#heldBySocket.set(socket, held - bytes);
    this.#budget.give(bytes);
    if (held === bytes && this.#isIdleAllowed) socket.setTimeout(0);
  }

  #release(socket: Socket): void {
    this.#budget.give(this.#heldBySocket.get(socket) ?? 0);
    this.#heldBySocket.delete(socket);
  }
}
