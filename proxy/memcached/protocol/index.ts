export {
  type MemcachedLimits,
  MemcachedParser,
  MemcachedProtocolError,
} from './request-parser.ts';
export { signedNumber, unsigned32, unsigned64, type Words, wordIs, wordText } from './words.ts';
