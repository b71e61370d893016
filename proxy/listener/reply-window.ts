/** Commands taken from a new client before the first answer. */
const FIRST_WINDOW = 32;
/** What the answers under way may weigh together, judged by those before. */
const EXPECTED_REPLY_BYTES = 4 * 1024 * 1024;

/**
 * How many commands of one client may be under way: few at first, more with each answer, and fewer when answers are big. A client that asks
 * for much at once must not fill the connections to the nodes, which all clients share, nor memory, before its appetite is known.
 */
export class ReplyWindow {
  readonly #max: number;
  #window = FIRST_WINDOW;
  /** Bytes of an answer lately; 0 before the first. */
  replyBytes = 0;
  /** Commands that may be under way now; at least 1. */
  allowed: number;

  constructor(max: number) {
    this.#max = max;
    this.allowed = Math.min(FIRST_WINDOW, max);
  }

  /** `count` answers of `bytes` together have left. */
  learn(count: number, bytes: number): void {
    this.replyBytes = Math.max(bytes / count, this.replyBytes * 0.75);
    this.#window = Math.min(this.#window + count, this.#max);
    const affordable = Math.floor(EXPECTED_REPLY_BYTES / (this.replyBytes + 1));
    this.allowed = Math.max(1, Math.min(this.#window, affordable));
  }
}
