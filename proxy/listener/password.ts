import { createHash, timingSafeEqual } from 'node:crypto';

/** A password that may change, and may come and go. */
export interface Login {
  /** Whether clients must give it. */
  isNeeded(): boolean;
  accepts(password: string): boolean;
}

const BEARER = /^bearer +(\S.*)$/i;

/**
 * A check of `Authorization: Bearer PASSWORD` (HTTP header or gRPC metadata) that takes the same time for every wrong
 * password; null when no password is set.
 */
export function passwordCheck(
  password: string | Login | null | undefined,
): ((authorization: string | undefined) => boolean) | null {
  if (!password) return null;
  if (typeof password !== 'string') {
    return (authorization) => {
      if (!password.isNeeded()) return true;
      const given = BEARER.exec(authorization ?? '')?.[1];
      return given !== undefined && password.accepts(given);
    };
  }
  const wanted = digest(password);
  return (authorization) => {
    const given = BEARER.exec(authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
