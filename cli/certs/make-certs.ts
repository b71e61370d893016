import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RingsideError } from '../../lib/base/index.ts';
import { AtomicFile } from '../../lib/net/index.ts';
import { Authority, type Leaf, type PemPair } from './authority.ts';
import { parseIdentity } from './identity.ts';

const CA_DAYS = 3650;

/** What certificates to make, and where. */
export interface CertsRequest {
  /** Folder; made when missing. */
  readonly dir: string;
  /** One certificate for each `role/id`; its name in the fleet is `spiffe://ringside/role/id`, its files `role-id.crt` and `.key`. */
  readonly identities: readonly string[];
  /** Days the certificates are good for (an authority: 3650); 365 by default. */
  readonly days?: number;
  /** DNS names beside `localhost`. */
  readonly dns?: readonly string[];
  /** IP addresses beside 127.0.0.1. */
  readonly ips?: readonly string[];
  /** Overwrite certificates that exist. */
  readonly force?: boolean;
  /** Make a new authority although the folder has one (takes `force` too). */
  readonly newAuthority?: boolean;
}

/** One certificate made. */
export interface MadeCert {
  readonly name: string;
  readonly uri: string;
  readonly cert: string;
  readonly key: string;
}

/** Paths of what was made. */
export interface MadeCerts {
  readonly dir: string;
  readonly ca: string;
  /** False: the folder's authority was used. */
  readonly newAuthority: boolean;
  readonly certs: readonly MadeCert[];
}

/**
 * Writes a development authority (`ca.crt`, `ca.key`; the folder's own if it has one) and the certificates it signs; keys are
 * readable by their owner alone.
 *
 * Throws RingsideError `bad_request` on an identity that is not `role/id`, `conflict` when a file exists and `force` is not
 * given; nothing is written then.
 */
export async function makeCerts(request: CertsRequest): Promise<MadeCerts> {
  const { dir, days = 365 } = request;
  const leaves = request.identities.map((identity) => leafOf(identity, request));
  const ca = pathsOf(dir, 'ca');
  const found = request.newAuthority ? null : await readPair(ca);
  const newAuthority = found === null;
  const written = [...(newAuthority ? ['ca'] : []), ...leaves.map((leaf) => leaf.name)];
  if (!request.force) await assertNew(written.flatMap((name) => Object.values(pathsOf(dir, name))));

  const authority = found ? await loadAuthority(found, ca.cert) : await Authority.create({ days: CA_DAYS });
  await mkdir(dir, { recursive: true });
  if (newAuthority) await writePair(ca, authority.pem);
  const certs: MadeCert[] = [];
  for (const leaf of leaves) {
    const paths = pathsOf(dir, leaf.name);
    await writePair(paths, await authority.issue(leaf, { days }));
    certs.push({ name: leaf.name, uri: leaf.uris[0], ...paths });
  }
  return { dir, ca: ca.cert, newAuthority, certs };
}

function leafOf(identity: string, { dns = [], ips = [] }: CertsRequest): Leaf {
  const parsed = parseIdentity(identity);
  if (!parsed) throw new RingsideError('bad_request', `"${identity}" is not role/id, such as node/n1`);
  const { role, id } = parsed;
  return {
    name: `${role}-${id}`,
    uris: [`spiffe://ringside/${role}/${id}`],
    dns: ['localhost', ...dns],
    ips: ['127.0.0.1', ...ips],
  };
}

function pathsOf(dir: string, name: string): PemPair {
  return { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
}

async function readPair(paths: PemPair): Promise<PemPair | null> {
  const [cert, key] = await Promise.all([readText(paths.cert), readText(paths.key)]);
  return cert !== null && key !== null ? { cert, key } : null;
}

function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

async function loadAuthority(pem: PemPair, path: string): Promise<Authority> {
  try {
    return await Authority.load(pem);
  } catch (error) {
    throw new RingsideError(
      'config_invalid',
      `${path} and its key are not a certificate authority of ringside certs`,
      {
        cause: error,
      },
    );
  }
}

async function assertNew(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const exists = await stat(path).catch(() => null);
    if (exists) throw new RingsideError('conflict', `${path} exists (--force overwrites it)`);
  }
}

async function writePair(paths: PemPair, pem: PemPair): Promise<void> {
  await new AtomicFile(paths.key, { mode: 0o600 }).write(pem.key);
  await new AtomicFile(paths.cert).write(pem.cert);
}
