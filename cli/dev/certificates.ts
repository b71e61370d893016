import { join } from 'node:path';
import { makeCerts } from '../certs/index.ts';
import type { Member } from './plan.ts';

const CLIENT = 'client/dev';
// Whoever has a certificate of this fleet's own authority is part of it, or its user.
const ALLOWED_NAMES = ['spiffe://ringside/*'];

/** Files of one identity, as the setting `tls` takes them. */
export interface TlsIdentity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly allowedNames: readonly string[];
}

/** Certificates of a fleet. */
export interface FleetCertificates {
  readonly client: TlsIdentity;
  of(member: Member): TlsIdentity;
}

/** Makes a certificate for each member and one for clients, in `certs` of the state folder, signed by the authority kept there. */
export async function makeFleetCertificates(
  dir: string,
  members: readonly Member[],
): Promise<FleetCertificates> {
  const identityOf = (member: Member) => `${member.role}/${member.name}`;
  const identities = [CLIENT, ...members.map(identityOf)];
  const made = await makeCerts({ dir: join(dir, 'certs'), identities, force: true });
  const byUri = new Map(made.certs.map((cert) => [cert.uri, cert]));
  const find = (identity: string): TlsIdentity => {
    const { cert, key } = byUri.get(`spiffe://ringside/${identity}`)!;
    return { ca: made.ca, cert, key, allowedNames: ALLOWED_NAMES };
  };
  return { client: find(CLIENT), of: (member) => find(identityOf(member)) };
}
