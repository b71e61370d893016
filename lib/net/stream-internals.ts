/** What the system does of one write; node's own sockets make one for each. */
export interface WriteWork {
  oncomplete: ((status: number) => void) | null;
  /** Keeps the bytes alive until the system has them. */
  buffer: Uint8Array | Uint8Array[] | null;
}

/** The part of node that its streams of the system are made of. */
interface StreamInternals {
  readonly WriteWrap: new () => WriteWork;
  /** What the latest call from or to the system has to say. */
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
  readonly kReadBytesOrError: number;
}

/** Null where this version of node has them no more, or does not let anybody at them: then everything goes node's own way. */
export const streamInternals: StreamInternals | null = find();

function find(): StreamInternals | null {
  try {
    const { binding } = process as unknown as { binding(name: string): Partial<StreamInternals> };
    const found = binding.call(process, 'stream_wrap');
    const { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError } = found;
    if (WriteWrap === undefined || streamBaseState === undefined) return null;
    if (kLastWriteWasAsync === undefined || kReadBytesOrError === undefined) return null;
    return { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError };
  } catch {
    return null;
  }
}
