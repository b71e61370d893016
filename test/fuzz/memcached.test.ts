import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz.ts';
import { memcachedMeta, memcachedText } from '../support/fuzz/memcached-codecs.ts';

t.test('mutated commands of the text protocol', { timeout: 1_200_000 }, async (t) => fuzz(t, memcachedText));

t.test('mutated commands of the meta protocol', { timeout: 1_200_000 }, async (t) => fuzz(t, memcachedMeta));
