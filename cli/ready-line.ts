/** The line a process prints on stdout when everything listens: `ready resp=127.0.0.1:7379 http=…`, or the same as JSON. */
export function readyLine(listeners: Readonly<Record<string, string>>, json = false): string {
  if (json) return `${JSON.stringify({ ready: listeners })}\n`;
  const pairs = Object.entries(listeners).map(([name, address]) => ` ${name}=${address}`);
  return `ready${pairs.join('')}\n`;
}

/** What a ready line says; null when `line` is not one. */
export function parseReadyLine(line: string): Record<string, string> | null {
  if (line !== 'ready' && !line.startsWith('ready ')) return null;
  const pairs = line.split(' ').slice(1);
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}
