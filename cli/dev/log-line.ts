const HIDDEN = new Set(['level', 'time', 'pid', 'role', 'id', 'msg', 'hostname']);

/** A log line of a role (one JSON object) as people read it: `warn connection refused: no certificate peer=…`. Other lines stay as they are. */
export function formatLogLine(line: string): string {
  const fields = parseObject(line);
  if (!fields || typeof fields.msg !== 'string') return line;
  const rest = Object.entries(fields)
    .filter(([key]) => !HIDDEN.has(key))
    .map(([key, value]) => ` ${key}=${short(value)}`);
  return `${fields.level ?? ''} ${fields.msg}${rest.join('')}`.trim();
}

function parseObject(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** An error is its message: the stack is for the JSON of `ringside node` itself. */
function short(value: unknown): string {
  if (typeof value === 'string') return /^\S+$/.test(value) ? value : JSON.stringify(value);
  const message = (value as { message?: unknown } | null)?.message;
  return JSON.stringify(typeof message === 'string' ? message : value);
}
