import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { respReplies } from '../support/fuzz/resp-codecs.ts';

t.test('mutated replies of servers', { timeout: 4_500_000 }, async (t) => fuzz(t, respReplies));
