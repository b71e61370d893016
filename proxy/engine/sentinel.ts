import { RespError, type RespValue } from '../../lib/codec/resp/index.ts';
import { formatAddress } from '../../lib/net/index.ts';

/** What one Sentinel says of a shard. */
export interface SentinelView {
  /** Of the configuration it goes by: of several answers the highest is right. */
  readonly configEpoch: bigint;
  /** `host:port` */
  readonly leader: string;
  readonly followers: readonly string[];
}

/** Flags of a follower that has not answered for long. One that the Sentinel has no connection to yet is `disconnected` alone. */
const DOWN = ['s_down', 'o_down'];

/** What to ask a Sentinel for its view of `name`. */
export function sentinelQuestions(name: string): string[][] {
  return [
    ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
    ['SENTINEL', 'MASTER', name],
    ['SENTINEL', 'SLAVES', name],
  ];
}

/** Reads the answers. Throws when the Sentinel does not know the name, or gives an error. */
export function parseSentinel(
  [address, master, followers]: readonly RespValue[],
  name: string,
): SentinelView {
  for (const reply of [address, master, followers]) if (reply instanceof RespError) throw reply;
  if (!Array.isArray(address) || address.length !== 2) throw new Error(`it knows no ${name}`);
  const leader = formatAddress(String(address[0]), Number(address[1]));
  const epoch = fieldsOf(master).get('config-epoch') ?? '0';
  const nodes = (Array.isArray(followers) ? followers : []).map(fieldsOf);
  const reachable = nodes.filter((fields) => {
    const flags = (fields.get('flags') ?? '').split(',');
    return !DOWN.some((flag) => flags.includes(flag));
  });
  const addresses = reachable.map((fields) => formatAddress(fields.get('ip')!, Number(fields.get('port'))));
  return { configEpoch: BigInt(epoch), leader, followers: addresses.filter((one) => one !== leader) };
}

/** The view that goes by the latest configuration; of equals the first. */
export function latestView(views: readonly (SentinelView | null)[]): SentinelView | null {
  let latest: SentinelView | null = null;
  for (const view of views)
    if (view !== null && (latest === null || view.configEpoch > latest.configEpoch)) latest = view;
  return latest;
}

/** Names and values in turn, or a map. */
function fieldsOf(reply: RespValue): Map<string, string> {
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [String(key), String(value)]));
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i], flat[i + 1]);
  return fields;
}
