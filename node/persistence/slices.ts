import type { FileHandle } from 'node:fs/promises';

/** One slice of a file that is loaded; clients are answered between them. */
const SLICE_BYTES = 256 << 10;

/**
 * Reads a file from its beginning to its end, and gives it to `take` slice by slice; the next one is read meanwhile. A slice is good until
 * `take` returns, which may throw.
 */
export async function readSlices(file: FileHandle, take: (slice: Buffer) => void): Promise<void> {
  let full = Buffer.allocUnsafeSlow(SLICE_BYTES);
  let free = Buffer.allocUnsafeSlow(SLICE_BYTES);
  let at = 0;
  let reading = file.read(full, 0, SLICE_BYTES, 0);
  for (;;) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return;
    at += bytesRead;
    reading = file.read(free, 0, SLICE_BYTES, at);
    // Whoever awaits it hears of it; nobody does when `take` has thrown.
    reading.catch(() => {});
    take(full.subarray(0, bytesRead));
    [full, free] = [free, full];
  }
}
