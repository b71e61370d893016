import { readFileSync, writeFileSync } from 'node:fs';

const KIB = 1024;

function status(pid: number, field: string): number {
  return (
    KIB *
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
  );
}

/** Bytes of memory that the process has in use now. */
export const residentBytes = (pid: number): number => status(pid, 'VmRSS');

/** The most that it had in use since its start, or since `forgetPeak`. */
export const peakResidentBytes = (pid: number): number => status(pid, 'VmHWM');

/** From now on the peak is counted anew (proc(5), clear_refs). */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
