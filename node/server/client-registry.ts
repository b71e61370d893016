import type { LinkTransport } from '../replication/follower-link.ts';
import type { Client } from './client.ts';

/** What a reply owes before it may go out. */
export interface Debt {
  /** It acknowledges a write of a clustered node: only under the lease. */
  readonly needsLease: boolean;
  /** Milliseconds to wait for a follower that has the stream up to `offset`; 0 for not at all. */
  readonly followerTimeoutMs: number;
  /** To wait until the stream up to `offset` is on disk. */
  readonly awaitsDisk: boolean;
  readonly offset: number;
}

/** A client and the connection it came by. */
export interface ConnectedClient {
  readonly client: Client;
  /** Bytes received that are not a whole command yet. */
  readonly inputBytes: number;
  /** Bytes of replies that have not left. */
  readonly outputBytes: number;
  /** It is the link of a follower. */
  readonly isLink: boolean;
  /** Closes the connection: at once, or for the client that runs the command, once its reply is out. */
  kill(): void;
  /**
   * Sends a whole message that answers no command (pub/sub, invalidation, MONITOR), between replies and in order with them; in the client's own
   * turn behind what has been written of it. Nobody may change the bytes any more. Counts as unread output.
   */
  push(bytes: Buffer): void;
  /** Sends the reply of a command that had to wait (a whole one, or nothing), out of the client's turn; its next commands run after that. */
  answer(reply: Buffer, debt: Debt | null): void;
  /** Hands the connection over to replication; `onClose` is called when it is gone. */
  becomeLink(onClose: () => void): LinkTransport;
}

/** Who is connected. */
export class ClientRegistry {
  readonly #connections = new Map<number, ConnectedClient>();
  #lastId = 0;
  /** Bytes of replies that wait, over all clients. */
  outputBytes = 0;
  /** Of those, what waits for followers. */
  followerBytes = 0;
  /** Bytes of unfinished commands and of transactions, over all clients. */
  inputBytes = 0;

  /** What counts against the memory budget, as in Redis: what goes to followers does not, or else evicting would make it more. */
  get budgetedBytes(): number {
    return this.inputBytes + this.outputBytes - this.followerBytes;
  }

  nextId(): number {
    return ++this.#lastId;
  }

  add(connection: ConnectedClient): void {
    this.#connections.set(connection.client.id, connection);
  }

  remove(connection: ConnectedClient): void {
    this.#connections.delete(connection.client.id);
  }

  get(id: number): ConnectedClient | undefined {
    return this.#connections.get(id);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** In the order of their ids. */
  all(): IterableIterator<ConnectedClient> {
    return this.#connections.values();
  }
}
