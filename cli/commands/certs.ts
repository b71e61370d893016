import { type Command, InvalidArgumentError } from 'commander';
import { parseIdentity } from '../certs/identity.ts';
import type { MadeCerts } from '../certs/index.ts';
import { type CommonOptions, collect, wholeNumber } from '../options.ts';

const IDENTITIES = ['control-plane/cp1', 'node/n1', 'proxy/p1', 'client/app'];
const MAX_DAYS = 3650;

interface CertsOptions extends CommonOptions {
  readonly dir: string;
  readonly days: number;
  readonly dns: string[];
  readonly ip: string[];
  readonly force?: boolean;
  readonly newCa?: boolean;
}

/** Adds `ringside certs` to the program. */
export function registerCerts(program: Command): void {
  program
    .command('certs')
    .description('make a development CA and certificates (ECDSA P-256, SHA-256, SPIFFE names)')
    .argument(
      '[identities...]',
      'role/id of each: its name is spiffe://ringside/role/id',
      identities,
      IDENTITIES,
    )
    .option('--dir <dir>', 'folder to write to; the CA in it, if any, is used', 'certs')
    .option(
      '--days <days>',
      `days the certificates are good for, at most ${MAX_DAYS}`,
      wholeNumber(1, MAX_DAYS),
      365,
    )
    .option('--dns <name>', 'DNS name beside localhost; repeatable', collect, [])
    .option('--ip <address>', 'IP address beside 127.0.0.1; repeatable', collect, [])
    .option('--force', 'overwrite certificates that exist')
    .option('--new-ca', 'make a new CA although the folder has one; replacing it takes --force')
    .action(run);
}

async function run(identities: string[], options: CertsOptions): Promise<void> {
  // The certificate library takes 100 ms to load, which no other command should pay.
  const { makeCerts } = await import('../certs/index.ts');
  const { dir, days, dns, ip: ips, force, newCa: newAuthority } = options;
  const made = await makeCerts({ dir, identities, days, dns, ips, force, newAuthority });
  process.stdout.write(options.json ? `${JSON.stringify(made)}\n` : describe(made));
}

function describe(made: MadeCerts): string {
  const authority = `${made.ca}  ${made.newAuthority ? 'new development CA' : 'development CA, kept'}\n`;
  return authority + made.certs.map(({ cert, key, uri }) => `${cert} ${key}  ${uri}\n`).join('');
}

/** Commander hands over the default list with the first argument. */
function identities(text: string, former: readonly string[]): string[] {
  if (!parseIdentity(text)) throw new InvalidArgumentError('It is role/id, such as node/n1.');
  return former === IDENTITIES ? [text] : [...former, text];
}
