import type t from 'tap';
import type { StateStore } from '../../control-plane/state/store.ts';
import { isRingsideError } from '../../lib/base/index.ts';

type Test = Pick<typeof t, 'equal' | 'same' | 'ok'>;

/** What every state store promises. `reopen` closes the store and opens it again as the next process would. */
export async function stateStoreContract(
  t: Test,
  open: () => Promise<StateStore>,
  reopen: ((store: StateStore) => Promise<StateStore>) | null,
): Promise<void> {
  let store = await open();
  t.equal(await store.load(), null, 'nothing is stored at first');

  const first = await store.save('one', 0n);
  t.same(await store.load(), { text: 'one', version: first });
  const second = await store.save('zwei\n"ä" \u2028', first);
  t.ok(second > first, 'versions grow');
  t.same(await store.load(), { text: 'zwei\n"ä" \u2028', version: second });

  for (const wrong of [0n, first, second + 1n]) {
    const error = await store.save('three', wrong).catch((reason: unknown) => reason);
    t.ok(isRingsideError(error, 'conflict'), `version ${wrong} is refused`);
  }
  t.same(
    await store.load(),
    { text: 'zwei\n"ä" \u2028', version: second },
    'a refused write changes nothing',
  );

  if (reopen !== null) {
    store = await reopen(store);
    t.same(await store.load(), { text: 'zwei\n"ä" \u2028', version: second }, 'survives the process');
    t.ok((await store.save('four', second)) > second);
  }
  await store.close();
}
