import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { respRequests } from '../support/fuzz/resp-codecs.ts';

t.test('mutated commands of clients', { timeout: 4_500_000 }, async (t) => fuzz(t, respRequests));
