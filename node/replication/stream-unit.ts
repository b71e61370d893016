import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { StreamError } from './stream-applier.ts';

/**
 * Frames of the stream that take effect together, while they arrive. Nothing of them is applied, and no offset counts them, before all are
 * there; so a link that is cut in between leaves no half of a transaction behind.
 */
export class StreamUnit {
  #missing: number;
  #frames: Buffer[];

  /** Begins with the `RS.UNIT` just parsed; `bytes` of frames follow. */
  constructor(header: RequestParser, bytes: number) {
    this.#missing = bytes;
    this.#frames = [frameOf(header)];
  }

  /** Whether the frame just parsed is one of the stream; what a link says besides may come in between. */
  takes(parser: RequestParser): boolean {
    return !parser.equalsIgnoreCase(0, 'RS.LEASE');
  }

  /** Throws StreamError when the unit ends inside the frame. */
  add(parser: RequestParser): void {
    this.#missing -= parser.frameEnd - parser.frameStart;
    if (this.#missing < 0) throw new StreamError('a frame of the stream goes beyond its unit');
    this.#frames.push(frameOf(parser));
  }

  get isWhole(): boolean {
    return this.#missing === 0;
  }

  /** All of it, as it came over the link. */
  take(): Buffer {
    const frames = this.#frames;
    this.#frames = [];
    return Buffer.concat(frames);
  }
}

function frameOf({ buffer, frameStart, frameEnd }: RequestParser): Buffer {
  return Buffer.from(buffer.subarray(frameStart, frameEnd));
}
