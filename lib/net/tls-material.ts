import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type Clock, type Logger, RingsideError, systemClock } from '../base/index.ts';

const RELOAD_MS = 1000;
const KINDS = ['ca', 'cert', 'key'] as const;

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

interface Loaded {
  readonly pem: Readonly<Record<(typeof KINDS)[number], Buffer>>;
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
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #loaded: Loaded;
  #seen: string;
  #problem = '';
  #reloading: Promise<boolean> | null = null;

  /** Use `loadTls`. */
  constructor(files: TlsFiles, log: Logger, { reloadMs, clock }: { reloadMs: number; clock: Clock }) {
    this.allowedNames = files.allowedNames ?? [];
    this.#files = files;
    this.#log = log;
    this.#clock = clock;
    this.#seen = fingerprintOf(files, (path) => statSync(path));
    this.#loaded = build(files, readAllSync(files), clock.wallMs());
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
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = null;
    });
    return this.#reloading;
  }

  /** Stops watching the files. */
  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #poll(): Promise<void> {
    const stats = await Promise.all(KINDS.map((kind) => stat(this.#files[kind]).catch(() => null)));
    const seen = stats.map((s) => (s ? signature(s) : 'missing')).join(' ');
    if (seen === this.#seen) return;
    this.#seen = seen;
    await this.reload();
  }

  async #reload(): Promise<boolean> {
    try {
      const [ca, cert, key] = await Promise.all(KINDS.map((kind) => readFile(this.#files[kind])));
      const pem = { ca, cert, key };
      if (KINDS.every((kind) => pem[kind].equals(this.#loaded.pem[kind]))) return false;
      this.#loaded = build(this.#files, pem, this.#clock.wallMs());
    } catch (error) {
      this.#report(error);
      return false;
    }
    this.#problem = '';
    const { fingerprint256, validTo } = this.#loaded.certificate;
    this.#log.info({ cert: this.#files.cert, fingerprint: fingerprint256, validTo }, 'certificate reloaded');
    for (const listener of this.#listeners) listener();
    return true;
  }

  #report(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#log.error(
      { reason: problem, cert: this.#files.cert },
      'new certificate not usable, the former one stays',
    );
  }
}

/**
 * Loads the files and watches them (every `reloadMs`, 1000 by default; by polling, since Kubernetes swaps a symbolic link).
 *
 * Throws RingsideError `config_invalid` that names the file and what is wrong with it.
 */
export function loadTls(
  files: TlsFiles,
  log: Logger,
  { reloadMs = RELOAD_MS, clock = systemClock }: { reloadMs?: number; clock?: Clock } = {},
): TlsMaterial {
  return new TlsMaterial(files, log, { reloadMs, clock });
}

function readAllSync(files: TlsFiles): Loaded['pem'] {
  const [ca, cert, key] = KINDS.map((kind) => attempt(kind, files[kind], () => readFileSync(files[kind])));
  return { ca, cert, key };
}

function build(files: TlsFiles, pem: Loaded['pem'], nowMs: number): Loaded {
  attempt('ca', files.ca, () => new X509Certificate(pem.ca));
  const certificate = attempt('cert', files.cert, () => new X509Certificate(pem.cert));
  const key = attempt('key', files.key, () => createPrivateKey(pem.key));
  if (!certificate.checkPrivateKey(key)) {
    throw new RingsideError(
      'config_invalid',
      `tls.key ${files.key} is not the key of tls.cert ${files.cert}`,
    );
  }
  if (certificate.validToDate.getTime() <= nowMs) {
    throw new RingsideError('config_invalid', `tls.cert ${files.cert} expired on ${certificate.validTo}`);
  }
  const context = attempt('cert', files.cert, () => createSecureContext(contextOptions(pem)));
  return { pem, context, certificate };
}

function contextOptions(pem: Loaded['pem']): SecureContextOptions {
  // Without tickets every connection shows its certificate: a resumed TLS 1.3 session counts as verified even when its first handshake showed none.
  return { ...pem, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET };
}

function attempt<T>(kind: (typeof KINDS)[number], path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new RingsideError('config_invalid', `tls.${kind} ${path} cannot be used: ${text}`, {
      cause: error,
    });
  }
}

function fingerprintOf(files: TlsFiles, statOf: (path: string) => FileStat): string {
  return KINDS.map((kind) => {
    try {
      return signature(statOf(files[kind]));
    } catch {
      return 'missing';
    }
  }).join(' ');
}

interface FileStat {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

function signature(stat: FileStat): string {
  return `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
}
