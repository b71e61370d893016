import type { Marks } from '../../node/cache/index.ts';
import { digestOfValue } from '../../node/commands/debug/digest.ts';
import type { NodeParts } from '../../node/node.ts';

/** Everything that a node in this process keeps of its entries, a line each, in an order of their own. `say` tells what marks they carry. */
export function entriesOf(
  { databases }: Pick<NodeParts, 'databases'>,
  say: (marks: Marks | null) => string = JSON.stringify,
): string[] {
  const lines: string[] = [];
  for (const keyspace of databases.all()) {
    const { store, marks } = keyspace;
    let cursor = 0;
    do {
      cursor = store.scan(cursor, (slot) => {
        if (keyspace.isPurged(slot)) return;
        const value = digestOfValue(keyspace, slot).toString('hex');
        const version = `${store.versionHigh(slot)}.${store.versionLow(slot)}`;
        const key = Buffer.from(store.keyOf(slot), 'latin1').toString('hex');
        const carried = say(marks.of(store, slot));
        lines.push(
          `${keyspace.index} ${key} v${version} until ${store.expiresAt(slot)} ${carried} type ${store.typeOf(slot)} ${value}`,
        );
      });
    } while (cursor !== 0);
  }
  return lines.sort();
}
