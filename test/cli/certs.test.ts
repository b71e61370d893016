import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { makeCerts } from '../../cli/certs/index.ts';
import { registerCerts } from '../../cli/commands/certs.ts';

const certificate = (dir: string, name: string) =>
  new X509Certificate(readFileSync(join(dir, `${name}.crt`)));

/** Runs the command in this process; resolves with what it wrote to stdout. */
async function run(...args: string[]): Promise<string> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {}, outputError: () => {} });
  registerCerts(program);
  for (const command of program.commands)
    command.exitOverride().option('--json').copyInheritedSettings(program);
  let written = '';
  const write = process.stdout.write;
  process.stdout.write = (chunk) => {
    written += chunk;
    return true;
  };
  try {
    await program.parseAsync(['certs', ...args], { from: 'user' });
  } finally {
    process.stdout.write = write;
  }
  return written;
}

t.test('a development authority and the certificates it signs', async (t) => {
  const dir = join(t.testdir(), 'made', 'here');
  const nowMs = Date.now();
  const made = await makeCerts({
    dir,
    identities: ['node/n1', 'control-plane/cp-1.a'],
    days: 30,
    dns: ['cache.example'],
    ips: ['10.0.0.7', '::1'],
  });
  t.same(readdirSync(dir).sort(), [
    'ca.crt',
    'ca.key',
    'control-plane-cp-1.a.crt',
    'control-plane-cp-1.a.key',
    'node-n1.crt',
    'node-n1.key',
  ]);
  for (const name of ['ca.key', 'node-n1.key']) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
  t.match(made, {
    ca: join(dir, 'ca.crt'),
    newAuthority: true,
    certs: [{ uri: 'spiffe://ringside/node/n1' }, {}],
  });

  const ca = certificate(dir, 'ca');
  t.ok(ca.ca && ca.verify(ca.publicKey));
  const leaf = certificate(dir, 'node-n1');
  t.notOk(leaf.ca);
  t.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  t.equal(
    leaf.subjectAltName,
    'URI:spiffe://ringside/node/n1, DNS:localhost, DNS:cache.example, IP Address:127.0.0.1, IP Address:10.0.0.7, IP Address:0:0:0:0:0:0:0:1',
  );
  t.same(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], 'serverAuth and clientAuth');
  t.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  t.equal(leaf.signatureAlgorithm, 'ecdsa-with-SHA256');
  t.ok(leaf.validFromDate.getTime() < nowMs, 'good at once, also where the clock is a little behind');
  t.ok(Math.abs(leaf.validToDate.getTime() - nowMs - 30 * 86_400_000) < 60_000);
  t.not(leaf.serialNumber, certificate(dir, 'control-plane-cp-1.a').serialNumber);
});

t.test('nothing is overwritten unless asked for', async (t) => {
  const dir = t.testdir();
  await makeCerts({ dir, identities: ['node/n1'] });
  const before = readFileSync(join(dir, 'node-n1.crt'), 'utf8');
  await t.rejects(makeCerts({ dir, identities: ['node/n2', 'node/n1'] }), {
    code: 'conflict',
    message: `${join(dir, 'node-n1.crt')} exists (--force overwrites it)`,
  });
  t.notOk(readdirSync(dir).includes('node-n2.crt'), 'and nothing was written');
  await t.rejects(makeCerts({ dir, identities: [], newAuthority: true }), { code: 'conflict' });

  const added = await makeCerts({ dir, identities: ['node/n2'] });
  t.equal(added.newAuthority, false);
  t.ok(certificate(dir, 'node-n2').verify(certificate(dir, 'ca').publicKey), 'the authority is kept');
  await makeCerts({ dir, identities: ['node/n1'], force: true });
  t.not(readFileSync(join(dir, 'node-n1.crt'), 'utf8'), before);
  t.ok(certificate(dir, 'node-n1').verify(certificate(dir, 'ca').publicKey));
  const ca = certificate(dir, 'ca').fingerprint256;
  await makeCerts({ dir, identities: ['node/n1'], force: true, newAuthority: true });
  t.not(certificate(dir, 'ca').fingerprint256, ca);

  const other = t.testdir({ 'ca.crt': 'not', 'ca.key': 'pem' });
  await t.rejects(makeCerts({ dir: other, identities: ['node/n1'] }), { code: 'config_invalid' });
  await t.rejects(makeCerts({ dir: other, identities: ['n1'] }), {
    code: 'bad_request',
    message: /"n1" is not role\/id/,
  });
});

t.test('the command', async (t) => {
  const dir = join(t.testdir(), 'certs');
  const text = await run('--dir', dir);
  t.match(
    text,
    /ca\.crt {2}new development CA\n.*node-n1\.crt .*node-n1\.key {2}spiffe:\/\/ringside\/node\/n1\n/s,
  );
  t.equal(text.trim().split('\n').length, 5, 'the authority and one certificate for each role and a client');
  const json = JSON.parse(await run('--dir', dir, '--json', '--days', '1', 'node/n7', 'proxy/p7'));
  t.match(json, { dir, newAuthority: false, certs: [{ name: 'node-n7' }, { name: 'proxy-p7' }] });
  await t.rejects(run('--dir', dir, 'n7'), { message: /It is role\/id, such as node\/n1/ });
  await t.rejects(run('--dir', dir, '--days', '0'), { message: /whole number from 1 to 3650/ });
  await t.rejects(run('--dir', dir), { code: 'conflict' });
});
