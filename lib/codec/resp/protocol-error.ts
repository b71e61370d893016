/**
 * The peer broke the protocol or a limit, and nothing after this point on the connection can be understood.
 *
 * `message` is Redis's own text (`Protocol error: invalid bulk length`): answer it behind `-ERR `, then close.
 */
export class RespProtocolError extends Error {
  /** `reason` without the leading `Protocol error: `. */
  constructor(reason: string) {
    super(`Protocol error: ${reason}`);
    this.name = 'RespProtocolError';
  }
}
