import { encodeCommand } from '../../lib/codec/resp/index.ts';
import { RespClient } from './resp-client.ts';

/** Sends whole pipelines and gives back the raw replies. */
export class RawClient {
  readonly #client: RespClient;
  #replies: Buffer[] = [];
  #wanted = 0;
  #done: (replies: Buffer[]) => void = () => {};

  constructor(address: string) {
    this.#client = new RespClient(address);
    this.#client.readFrames(
      (buffer, start, end) => this.#replies.push(Buffer.from(buffer.subarray(start, end))),
      () => {
        if (this.#replies.length >= this.#wanted) this.#done(this.#replies.splice(0));
      },
    );
  }

  run(batch: readonly (string | Buffer)[][]): Promise<Buffer[]> {
    this.#wanted = batch.length;
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#client.socket.write(Buffer.concat(batch.map((parts) => encodeCommand(...parts))));
    });
  }

  close(): void {
    this.#client.close();
  }
}
