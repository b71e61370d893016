import { isPicked } from '../../lib/commands/index.ts';
import type { Desk } from '../workers/questions.ts';
import { listed } from './client-list.ts';
import type { RespConnection } from './connection.ts';
import { deliverTo } from './tracking-frames.ts';

/** Lets a thread answer questions about its clients. */
export function answerAboutClients(desk: Desk, connections: ReadonlyMap<number, RespConnection>): void {
  desk.on('clients', () => Array.from(connections.values(), listed));
  desk.on('kill', ({ filter, address, me }) => {
    const picked = Array.from(connections.values()).filter((connection) =>
      filter === null ? connection.address === address : isPicked(filter, listed(connection), me),
    );
    for (const connection of picked) connection.disconnect();
    return picked.length;
  });
  desk.on('hasClient', ({ id }) => connections.has(id));
  desk.on('redirected', ({ id, keys }) => {
    const bytes = Buffer.from(keys, 'latin1');
    return deliverTo(connections.get(id), bytes, 0, bytes.length);
  });
  desk.on(
    'unblock',
    ({ id, isError }) => connections.get(id)?.blocked?.unblock(isError ? 'ERROR' : 'TIMEOUT') ?? false,
  );
}
