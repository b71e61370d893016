export { matchesGlob } from '../../lib/base/index.ts';
