import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where the state of a fleet lies. */
export interface StateFolder {
  readonly path: string;
  readonly isTemporary: boolean;
  /** Removes it if it is temporary. */
  dispose(): void;
}

/** The folder `dir`, made when missing and kept; without one, a new temporary folder. */
export function openStateFolder(dir: string | undefined): StateFolder {
  if (dir !== undefined) {
    const path = resolve(dir);
    mkdirSync(path, { recursive: true });
    return { path, isTemporary: false, dispose: () => {} };
  }
  const path = mkdtempSync(join(tmpdir(), 'ringside-dev-'));
  return {
    path,
    isTemporary: true,
    dispose: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
