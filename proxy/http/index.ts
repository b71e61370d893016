export { startHttpListener } from './listener.ts';
