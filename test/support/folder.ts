import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { RespClient } from './resp-client.ts';
import { type Ringside, startStandaloneNode } from './ringside.ts';

/** An empty folder that goes with the test, `ringside-WHAT-…`. */
export function folder(t: Test, what: string): string {
  const dir = mkdtempSync(join(tmpdir(), `ringside-${what}-`));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A standalone node that keeps its files in `dir`, and a client of it. */
export async function nodeWith(t: Test, dir: string, ...args: string[]): Promise<[Ringside, RespClient]> {
  const node = await startStandaloneNode(t, '--dir', dir, '--enable-debug-command', 'yes', ...args);
  const client = new RespClient(node.ready.resp);
  t.teardown(() => client.close());
  return [node, client];
}
