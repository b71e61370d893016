import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type Clock, type Logger, RingsideError, systemClock } from '../base/index.ts';
import type { Metrics } from '../metrics/index.ts';
import { type CertificateFigures, certificateFigures } from './net-metrics.ts';

const RELOAD_MS = 1000;
const KINDS = ['ca', 'cert', 'key'] as const;

type Kind = (typeof KINDS)[number];

/** Where the certificates are, and whom they let in. */
export interface TlsFiles {
  /** PEM file of the authorities whose certificates are accepted. */
  readonly ca: string;
  /** PEM file of this process's certificate, followed by intermediates if there are any. */
  readonly cert: string;
  /** PEM file of the private key of `cert`. */
  readonly key: string;
  /** Names (SPIFFE URIs, DNS names, prefixes ending in `*`) a peer must have one of. Empty: any name the authorities signed. */
  readonly allowedNames?: readonly string[];
}

/** How material is loaded and watched. */
export interface LoadTlsOptions {
  /** Milliseconds between looks at the files; 1000 by default. */
  readonly reloadMs?: number;
  /** Configuration path of the files, named in errors; `tls` by default. */
  readonly setting?: string;
  /** Says when the certificate expires, and counts reloads, under the setting. */
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

interface Loaded {
  readonly pem: Readonly<Record<Kind, Buffer>>;
  readonly context: SecureContext;
  readonly certificate: X509Certificate;
}

/**
 * The certificates of this process and the allow list for its peers, kept up to date with the files.
 *
 * New connections use what the files held last; a set of files that cannot be used is logged once and the former one stays.
 */
export class TlsMaterial {
  readonly allowedNames: readonly string[];
  readonly #files: TlsFiles;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #setting: string;
  readonly #figures: CertificateFigures;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #loaded: Loaded;
  #seen: string;
  #problem = '';
  #reloading: Promise<boolean> = Promise.resolve(false);

  /** Use `loadTls`. */
  constructor(files: TlsFiles, log: Logger, options: LoadTlsOptions = {}) {
    this.allowedNames = files.allowedNames ?? [];
    this.#files = files;
    this.#log = log;
    const { reloadMs = RELOAD_MS, setting = 'tls', clock = systemClock, metrics } = options;
    this.#clock = clock;
    this.#setting = setting;
    this.#figures = certificateFigures(setting, metrics);
    this.#seen = statAllSync(files);
    this.#loaded = this.#build(readAllSync(files, setting));
    this.#figures.expiresSeconds.set(expirySeconds(this.#loaded));
    this.#timer = setInterval(() => void this.#poll(), reloadMs);
    this.#timer.unref();
  }

  /** The context for a connection that starts now. */
  get secureContext(): SecureContext {
    return this.#loaded.context;
  }

  /** Options for a server that accepts from now on. */
  get contextOptions(): SecureContextOptions {
    return contextOptions(this.#loaded.pem);
  }

  /** The certificate in use. */
  get certificate(): X509Certificate {
    return this.#loaded.certificate;
  }

  /** Calls `listener` after each change; the returned function ends that. */
  onReload(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the files now. True when they were new and are in use; false when nothing changed or they cannot be used. Never throws. */
  reload(): Promise<boolean> {
    // One after the other: sharing a read under way would miss what changed since it began.
    this.#reloading = this.#reloading.then(() => this.#reload());
    return this.#reloading;
  }

  /** Stops watching the files. */
  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #poll(): Promise<void> {
    const stats = await Promise.all(KINDS.map((kind) => stat(this.#files[kind]).catch(() => null)));
    const seen = stats.map(signature).join(' ');
    if (seen === this.#seen) return;
    this.#seen = seen;
    await this.reload();
  }

  async #reload(): Promise<boolean> {
    try {
      const [ca, cert, key] = await Promise.all(KINDS.map((kind) => readFile(this.#files[kind])));
      const pem = { ca, cert, key };
      const isNew = KINDS.some((kind) => !pem[kind].equals(this.#loaded.pem[kind]));
      if (isNew) this.#use(this.#build(pem));
      this.#problem = '';
      return isNew;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  #use(loaded: Loaded): void {
    this.#loaded = loaded;
    this.#figures.reloaded.inc();
    this.#figures.expiresSeconds.set(expirySeconds(loaded));
    const { fingerprint256, validTo } = loaded.certificate;
    this.#log.info({ cert: this.#files.cert, fingerprint: fingerprint256, validTo }, 'certificate reloaded');
    for (const listener of this.#listeners) listener();
  }

  #report(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#figures.notUsable.inc();
    this.#log.error(
      { reason: problem, cert: this.#files.cert },
      'new certificate not usable, the former one stays',
    );
  }

  #build(pem: Loaded['pem']): Loaded {
    const files = this.#files;
    const usable = <T>(kind: Kind, action: () => T) =>
      attempt(`${this.#setting}.${kind} ${files[kind]}`, action);
    usable('ca', () => new X509Certificate(pem.ca));
    const certificate = usable('cert', () => new X509Certificate(pem.cert));
    const key = usable('key', () => createPrivateKey(pem.key));
    if (!certificate.checkPrivateKey(key)) {
      throw invalid(`${this.#setting}.key ${files.key} is not the key of ${files.cert}`);
    }
    if (certificate.validToDate.getTime() <= this.#clock.wallMs()) {
      throw invalid(`${this.#setting}.cert ${files.cert} expired on ${certificate.validTo}`);
    }
    return { pem, certificate, context: usable('cert', () => createSecureContext(contextOptions(pem))) };
  }
}

/**
 * Loads the files and watches them, by polling, since Kubernetes swaps a symbolic link.
 *
 * Throws RingsideError `config_invalid` that names the setting, the file and what is wrong with it.
 */
export function loadTls(files: TlsFiles, log: Logger, options?: LoadTlsOptions): TlsMaterial {
  return new TlsMaterial(files, log, options);
}

function readAllSync(files: TlsFiles, setting: string): Loaded['pem'] {
  const [ca, cert, key] = KINDS.map((kind) =>
    attempt(`${setting}.${kind} ${files[kind]}`, () => readFileSync(files[kind])),
  );
  return { ca, cert, key };
}

function contextOptions(pem: Loaded['pem']): SecureContextOptions {
  // Without tickets every connection shows its certificate: Node takes a resumed TLS 1.3 session for verified even when its first
  // handshake showed none.
  const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;
  return { ...pem, minVersion: 'TLSv1.2', secureOptions };
}

function expirySeconds({ certificate }: Loaded): number {
  return certificate.validToDate.getTime() / 1000;
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw invalid(`${what} cannot be used: ${text}`, error);
  }
}

function invalid(message: string, cause?: unknown): RingsideError {
  return new RingsideError('config_invalid', message, cause === undefined ? undefined : { cause });
}

function statAllSync(files: TlsFiles): string {
  return KINDS.map((kind) => signature(statSync(files[kind], { throwIfNoEntry: false }))).join(' ');
}

function signature(stats: Stats | null | undefined): string {
  return stats ? `${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}` : 'missing';
}
