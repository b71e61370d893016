import t from 'tap';
import { playToBoth } from '../support/transcript.ts';

/* Sessions of several clients: transactions, channels, tracked keys, pauses, and waiting for keys. */

const files = [
  'transactions.resp2',
  'transactions.resp3',
  'pubsub.resp2',
  'pubsub.resp3',
  'messages.resp3',
  'misses.resp2',
  'replicas.resp2',
  'tracking.resp3',
  'clients.resp2',
  'clients.resp3',
];

for (const name of files) {
  t.test(name, (t) => playToBoth(t, new URL(`transcripts/${name}.txt`, import.meta.url)));
}
