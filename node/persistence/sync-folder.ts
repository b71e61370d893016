import { open } from 'node:fs/promises';

/** Makes what has been made, renamed and removed in a folder survive a crash of the host. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
