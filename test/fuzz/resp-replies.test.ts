import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { respReplies } from '../support/fuzz/resp-codecs.ts';

t.test('mutated replies of servers', { timeout: 1_200_000 }, async (t) => fuzz(t, respReplies));
