import type { RequestParser } from '../../lib/codec/resp/index.ts';

/**
 * Commands of the stream between MULTI and EXEC, while they arrive. Nothing of them is applied, and no offset counts them, before EXEC is
 * there; so a link that is cut in between leaves no half of a transaction behind.
 */
export class StreamUnit {
  #frames: Buffer[];

  /** Begins with the MULTI just parsed. */
  constructor(multi: RequestParser) {
    this.#frames = [frameOf(multi)];
  }

  /** Takes the command just parsed; returns whether the unit is whole now. */
  add(parser: RequestParser): boolean {
    this.#frames.push(frameOf(parser));
    return parser.equalsIgnoreCase(0, 'EXEC');
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
