export { HedgedReads } from './hedged-reads.ts';
