// Started by net.test.ts, which kills it at any point: writes one long text after the other, for ever.
import { AtomicFile } from '../../lib/net/index.ts';

const file = new AtomicFile(process.argv[2]);
for (let n = 1; ; n++) {
  await file.write(`${n}:${String(n % 10).repeat(50_000 + (n % 7) * 10_000)}:end`);
  process.stdout.write(`${n}\n`);
}
