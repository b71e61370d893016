import type { PeerCertificate, TLSSocket } from 'node:tls';
import { certificateNames, findAllowedName } from './names.ts';

/** Who is at the other end of a connection. */
export interface Peer {
  /** `host:port` of the other end. */
  readonly address: string;
  /** URI and DNS names of its verified certificate; empty without TLS. */
  readonly names: readonly string[];
}

/** Why a connection was refused; the `reason` of log lines and the label of the metric. */
export type RefusalReason =
  | 'no certificate'
  | 'unknown CA'
  | 'certificate expired'
  | 'certificate not valid'
  | 'name not allowed'
  | 'handshake failed'
  | 'handshake timeout'
  | 'connection limit';

/** The first URI or DNS name of a certificate; null when it has none. */
export function firstNameOf({ subjectaltname }: Pick<PeerCertificate, 'subjectaltname'>): string | null {
  return certificateNames(subjectaltname).at(0) ?? null;
}

/** What the check of a peer's certificate found. */
export interface PeerVerdict {
  /** Undefined: the peer is let in. */
  readonly reason?: RefusalReason;
  readonly names: readonly string[];
  /** SHA-256 fingerprint of the certificate; empty without one. */
  readonly fingerprint: string;
  /** OpenSSL's own word for the problem, if it found one. */
  readonly detail?: string;
}

/** A verdict that turns the peer away. */
export type Refusal = PeerVerdict & { readonly reason: RefusalReason };

/** Whether `verdict` turns the peer away. */
export function isRefusal(verdict: PeerVerdict): verdict is Refusal {
  return verdict.reason !== undefined;
}

/**
 * Judges the certificate that the peer showed in a finished handshake, on a socket that did not reject by itself.
 *
 * The certificate has to be there: Node reports a resumed session without one as authorized.
 */
export function judgePeer(socket: TLSSocket, allowedNames: readonly string[]): PeerVerdict {
  const certificate = socket.getPeerCertificate();
  if (!certificate?.raw) return { reason: 'no certificate', names: [], fingerprint: '' };
  const names = certificateNames(certificate.subjectaltname);
  const fingerprint = certificate.fingerprint256;
  if (!socket.authorized) {
    const detail = String(socket.authorizationError ?? 'not authorized');
    return { reason: reasonOf(detail), names, fingerprint, detail };
  }
  if (findAllowedName(names, allowedNames) === undefined)
    return { reason: 'name not allowed', names, fingerprint };
  return { names, fingerprint };
}

/** The client's side of the check: Node's `checkServerIdentity`, by the allow list rather than by host name. */
export function checkServerName(
  certificate: Pick<PeerCertificate, 'subjectaltname'>,
  allowedNames: readonly string[],
): Error | undefined {
  const names = certificateNames(certificate.subjectaltname);
  if (findAllowedName(names, allowedNames) !== undefined) return undefined;
  return Object.assign(
    new Error(`the server's certificate is for ${names.join(', ') || 'no name'}, which is not allowed`),
    {
      code: 'ERR_TLS_NAME_NOT_ALLOWED',
      reason: 'name not allowed' satisfies RefusalReason,
    },
  );
}

function reasonOf(detail: string): RefusalReason {
  if (detail === 'CERT_HAS_EXPIRED') return 'certificate expired';
  return UNKNOWN_CA.has(detail) ? 'unknown CA' : 'certificate not valid';
}

// A forged issuer of the same name fails in its signature.
const UNKNOWN_CA: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);
