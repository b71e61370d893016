import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { memcachedMeta, memcachedText } from '../support/fuzz/memcached-codecs.ts';

t.test('mutated commands of the text protocol', { timeout: 4_500_000 }, async (t) => fuzz(t, memcachedText));

t.test('mutated commands of the meta protocol', { timeout: 4_500_000 }, async (t) => fuzz(t, memcachedMeta));
