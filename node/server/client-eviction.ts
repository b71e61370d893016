import type { Settings } from '../settings.ts';
import type { ClientRegistry, ConnectedClient } from './client-registry.ts';

/** Bytes that the buffers of all clients may take together, by `maxmemory-clients`; 0 for no limit. */
export function clientBudget({
  maxClientBytes,
  maxMemoryBytes,
}: Pick<Settings, 'maxClientBytes' | 'maxMemoryBytes'>): number {
  return maxClientBytes >= 0 ? maxClientBytes : Math.floor((maxMemoryBytes * -maxClientBytes) / 100);
}

/**
 * Closes the clients whose buffers take most until the others take no more than `maxBytes` together (0: no limit), as Redis 7 does: but not
 * followers, nor who has asked for CLIENT NO-EVICT. Returns how many. Not to be called again before their connections are gone.
 */
export function evictClients(clients: ClientRegistry, maxBytes: number): number {
  let excess = clients.budgetedBytes - maxBytes;
  if (maxBytes === 0 || excess <= 0) return 0;
  const candidates = [...clients.all()]
    .filter((one) => !one.isLink && !one.client.noEvict && bytesOf(one) > 0)
    .sort((a, b) => bytesOf(b) - bytesOf(a));
  let closed = 0;
  for (const one of candidates) {
    if (excess <= 0) break;
    excess -= bytesOf(one);
    one.kill();
    closed++;
  }
  return closed;
}

function bytesOf({ inputBytes, outputBytes }: ConnectedClient): number {
  return inputBytes + outputBytes;
}
