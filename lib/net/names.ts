/**
 * The identities a certificate speaks for: its URI and DNS subject alternative names, DNS names in lower case.
 *
 * `subjectAltName` is Node's rendering (`URI:spiffe://a/b, DNS:host, IP Address:127.0.0.1`), in which a name that holds a
 * delimiter is a JSON string (so that no name can pose as two). A URI has a scheme and a DNS name has none: what does not
 * keep to that is left out, so that the two kinds cannot be mistaken for each other.
 */
export function certificateNames(subjectAltName: string | undefined): string[] {
  const names: string[] = [];
  for (const [kind, value] of splitAltNames(subjectAltName ?? '')) {
    if (kind === 'URI' && value.includes('://')) names.push(value);
    if (kind === 'DNS' && !value.includes(':')) names.push(value.toLowerCase());
  }
  return names;
}

/**
 * The first of `names` that a pattern of the allow list lets in; undefined when none is.
 *
 * A pattern is a whole URI or DNS name, or a prefix of one followed by `*`. An empty allow list lets every name in.
 */
export function findAllowedName(
  names: readonly string[],
  allowedNames: readonly string[],
): string | undefined {
  if (allowedNames.length === 0) return names[0] ?? '';
  return names.find((name) => allowedNames.some((pattern) => matches(name, pattern)));
}

function matches(name: string, pattern: string): boolean {
  const wanted = pattern.includes('://') ? pattern : pattern.toLowerCase();
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted;
}

function* splitAltNames(text: string): Generator<[kind: string, value: string]> {
  const entry = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/y;
  for (let found = entry.exec(text); found !== null && found[0] !== ''; found = entry.exec(text)) {
    yield [found[1], found[2].startsWith('"') ? (JSON.parse(found[2]) as string) : found[2]];
  }
}
