/** Writes states as fast as it can until it is killed, and says on stdout which ones are safe. For state-store.test.ts. */

import { EmbeddedStateStore } from '../../control-plane/state/embedded.ts';
import { silentLogger } from '../../lib/base/index.ts';

const store = await EmbeddedStateStore.open(process.argv[2], silentLogger);
let { version } = (await store.load()) ?? { version: 0n };
for (;;) {
  version = await store.save(`${version + 1n} ${'x'.repeat(20_000)}`, version);
  process.stdout.write(`${version}\n`);
}
