import type { MemoryFigures } from './memory-figures.ts';

const MIB = 1 << 20;
/** With less than this in use, ratios say nothing. */
const LITTLE_BYTES = 5 * MIB;
/** What lies idle is worth a word from here on. */
const MUCH_BYTES = 10 * MIB;
const MUCH_PER_CLIENT_BYTES = 200 * 1024;
const HIGH_PEAK = 1.5;
const HIGH_FRAGMENTATION = 1.4;
const HIGH_IDLE = 1.1;

/** What MEMORY DOCTOR says. The bounds are Redis's. */
export function memoryReport(figures: MemoryFigures, clients: number): string {
  const { usedBytes, peakBytes, reservedBytes, residentBytes, clientBytes, followerBytes } = figures;
  if (usedBytes < LITTLE_BYTES) {
    return 'The node holds little data or none, so that ratios of its memory say nothing. Fill it and ask again.\n';
  }
  const findings: string[] = [];
  if (peakBytes > usedBytes * HIGH_PEAK) {
    findings.push(
      'Peak memory: more than 1.5 times what is used now was used before. The process may keep some of that for a while.',
    );
  }
  if (residentBytes > usedBytes * HIGH_FRAGMENTATION && residentBytes - usedBytes > MUCH_BYTES) {
    findings.push(
      'High resident size: the process takes more than 1.4 times what keys and values take. MEMORY MALLOC-STATS shows the heap.',
    );
  }
  if (reservedBytes > usedBytes * HIGH_IDLE && reservedBytes - usedBytes > MUCH_BYTES) {
    findings.push(
      'Fragmentation: more than a tenth of what the store reserves lies idle; it is taken back as entries come and go.',
    );
  }
  if (clientBytes / Math.max(1, clients) > MUCH_PER_CLIENT_BYTES) {
    findings.push(
      'Client buffers: more than 200 kB each on average. CLIENT LIST shows whose replies pile up (omem).',
    );
  }
  if (followerBytes > MUCH_BYTES) {
    findings.push('Follower buffers: more than 10 MB wait for followers. INFO replication shows who lags.');
  }
  if (findings.length === 0) return 'No problem of memory was found.\n';
  return ['Problems of memory:', '', ...findings.map((finding) => ` * ${finding}`)]
    .map((line) => `${line}\n`)
    .join('');
}
