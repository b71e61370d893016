import { createHash, timingSafeEqual } from 'node:crypto';

const BEARER = /^bearer +(\S.*)$/i;

/**
 * A check of `Authorization: Bearer PASSWORD` (HTTP header or gRPC metadata) that takes the same time for every wrong
 * password; null when no password is set.
 */
export function passwordCheck(
  password: string | null | undefined,
): ((authorization: string | undefined) => boolean) | null {
  if (!password) return null;
  const wanted = digest(password);
  return (authorization) => {
    const given = BEARER.exec(authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
