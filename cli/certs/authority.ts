import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { systemClock, systemRandom } from '../../lib/base/index.ts';

const DAY_MS = 86_400_000;
// The clocks of two hosts need not agree to the second.
const BACKDATE_MS = 5 * 60_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate speaks for. */
export interface Leaf {
  /** Its common name. */
  readonly name: string;
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** How long a certificate is good for. `nowMs` is Unix time; the host's by default. */
export interface Validity {
  readonly days: number;
  readonly nowMs?: number;
}

/** A development certificate authority: ECDSA P-256, SHA-256. Its key lies in a file; use a real authority in production. */
export class Authority {
  readonly pem: PemPair;
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(pem: PemPair, certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.pem = pem;
    this.#certificate = certificate;
    this.#key = key;
  }

  /** Its distinguished name. */
  get name(): string {
    return this.#certificate.subject;
  }

  /** A new authority; by default its name is one that no other has. */
  static async create(
    validity: Validity,
    name = `CN=Ringside development CA ${systemRandom.hex(4)}`,
  ): Promise<Authority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      ...span(validity),
      serialNumber: newSerial(),
      name,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const pem = { cert: withNewline(certificate.toString('pem')), key: await keyToPem(keys.privateKey) };
    return new Authority(pem, certificate, keys.privateKey);
  }

  /** The authority that `create` once made. Throws on text that is not one. */
  static async load(pem: PemPair): Promise<Authority> {
    const der = PemConverter.decodeFirst(pem.key);
    const key = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
    return new Authority(pem, new X509Certificate(pem.cert), key);
  }

  /** A certificate for both ends of a connection, signed by this authority. */
  async issue(leaf: Leaf, validity: Validity): Promise<PemPair> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create({
      ...span(validity),
      serialNumber: newSerial(),
      subject: [{ CN: [leaf.name] }],
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(generalNames(leaf)),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    return { cert: withNewline(certificate.toString('pem')), key: await keyToPem(keys.privateKey) };
  }
}

function generalNames({ uris, dns, ips }: Leaf): JsonGeneralNames {
  return [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
}

function span({ days, nowMs = systemClock.wallMs() }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

/** A leading byte below 0x80 keeps the number positive. */
function newSerial(): string {
  return `01${systemRandom.hex(15)}`;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function keyToPem(key: webcrypto.CryptoKey): Promise<string> {
  return withNewline(PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY'));
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
