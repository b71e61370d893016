export { runDev } from './run.ts';
