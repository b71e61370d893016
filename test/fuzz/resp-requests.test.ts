import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { respRequests } from '../support/fuzz/resp-codecs.ts';

t.test('mutated commands of clients', { timeout: 1_200_000 }, async (t) => fuzz(t, respRequests));
