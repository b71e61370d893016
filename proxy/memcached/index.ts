export { startMemcachedListener } from './listener.ts';
