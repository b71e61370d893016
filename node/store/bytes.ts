/** Up to this many bytes a loop beats the call into native code. */
const LOOP_BYTES = 32;

export function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LOOP_BYTES) source.copy(target, at, start, end);
  else for (let i = start, to = at; i < end; i++, to++) target[to] = source[i];
}

/** Copies one byte a character. */
export function copyLatin1(text: string, target: Buffer, at: number): void {
  if (text.length > LOOP_BYTES) target.latin1Write(text, at);
  else for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
}

export function equals(bytes: Buffer, at: number, buffer: Buffer, start: number, length: number): boolean {
  if (length > LOOP_BYTES) return bytes.compare(buffer, start, start + length, at, at + length) === 0;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== buffer[start + i]) return false;
  return true;
}
