import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RingsideError } from '../../lib/base/index.ts';

/** Where the state of a fleet lies. */
export interface StateFolder {
  readonly path: string;
  readonly isTemporary: boolean;
  /** To be called when the fleet is up: the folder holds a ring from now on. */
  keep(): void;
  /** Removes it if it is temporary. */
  dispose(): void;
}

/**
 * The folder `dir`, made when missing and kept; without one, a new temporary folder. A kept ring cannot have another number
 * of shards: RingsideError `conflict`.
 */
export function openStateFolder(dir: string | undefined, shards: number): StateFolder {
  if (dir !== undefined) {
    const path = resolve(dir);
    mkdirSync(path, { recursive: true });
    assertSameShards(path, shards);
    const keep = () => writeFileSync(markOf(path), `${JSON.stringify({ shards })}\n`);
    return { path, isTemporary: false, keep, dispose: () => {} };
  }
  const path = mkdtempSync(join(tmpdir(), 'ringside-dev-'));
  return {
    path,
    isTemporary: true,
    keep: () => {},
    dispose: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Written once there is a ring: which fleet the folder belongs to. */
function markOf(path: string): string {
  return join(path, 'fleet.json');
}

function assertSameShards(path: string, shards: number): void {
  if (!existsSync(markOf(path))) return;
  const held = (JSON.parse(readFileSync(markOf(path), 'utf8')) as { shards: number }).shards;
  if (held === shards) return;
  throw new RingsideError(
    'conflict',
    `${path} holds a ring of --shards ${held}; give that, or another --dir`,
  );
}
