import { type Args, parseCommand } from '../../lib/codec/resp/index.ts';

/* What the stream says beside Redis's own commands. A redis-server publishes it to nobody, and nothing else happens there. */

/** The channel that metadata is published to. */
export const METADATA_CHANNEL = '__ringside';
export const METADATA_CHANNEL_BYTES: Buffer = Buffer.from(METADATA_CHANNEL);

const VERSION_MARK = 0x56;
const COMMAND_MARK = 0x2a;
const DIGITS = 16;

/** `PUBLISH __ringside V…` up to the version's 16 hexadecimal digits: the next command gives its first key this version. */
export const VERSION_FRAME_START = `*3\r\n$7\r\nPUBLISH\r\n$10\r\n${METADATA_CHANNEL}\r\n$17\r\nV`;
/** `PUBLISH __ringside`, up to the payload: a command as it goes over the wire. */
export const METADATA_FRAME_START = `*3\r\n$7\r\nPUBLISH\r\n$10\r\n${METADATA_CHANNEL}\r\n`;

/** What a payload says. */
export type Metadata =
  | { readonly kind: 'version'; readonly high: number; readonly low: number }
  | { readonly kind: 'command'; readonly args: Args };

/** Whether the command publishes metadata. */
export function isMetadata(args: Args): boolean {
  return (
    args.count === 3 && args.equalsIgnoreCase(0, 'PUBLISH') && args.bytes(1).equals(METADATA_CHANNEL_BYTES)
  );
}

/** Reads the payload that a command with `isMetadata` carries; null when it makes no sense. Throws RespProtocolError likewise. */
export function readMetadata(args: Args): Metadata | null {
  const payload = args.bytes(2);
  if (payload[0] === VERSION_MARK && payload.length === 1 + DIGITS) return versionOf(payload);
  if (payload[0] !== COMMAND_MARK) return null;
  const command = parseCommand(payload);
  return command.count === 0 ? null : { kind: 'command', args: command };
}

function versionOf(payload: Buffer): Metadata | null {
  const digits = payload.latin1Slice(1);
  if (!/^[0-9a-f]{16}$/.test(digits)) return null;
  return {
    kind: 'version',
    high: Number.parseInt(digits.slice(0, 8), 16),
    low: Number.parseInt(digits.slice(8), 16),
  };
}
