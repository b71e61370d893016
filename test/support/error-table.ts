import { errorCatalogue } from '../../lib/base/index.ts';

const GRPC_NAMES: Record<number, string> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
};

/** The catalogue as the Markdown table that docs/errors.md must hold. */
export function errorTable(): string {
  const rows = Object.entries(errorCatalogue).map(([code, entry]) => {
    const cells = [
      `\`${code}\``,
      entry.meaning,
      `\`${entry.resp}\``,
      `\`${entry.memcached}\``,
      `${entry.http} \`${entry.httpCode}\``,
      GRPC_NAMES[entry.grpc],
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| code | what it means | RESP | memcached | HTTP | gRPC |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
