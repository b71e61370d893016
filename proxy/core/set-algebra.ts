import { replyLineEnd, replyNumber } from '../../lib/codec/resp/index.ts';
import { type AnsweredPart, countOf } from './gather.ts';

/** Members by their bytes as latin1 text, each as it travels: length line, bytes, line end. */
type Members = Map<string, Buffer>;

/** Puts the members of a part's reply, an array of bulk strings, where `visit` says. */
function forEachMember(part: AnsweredPart, visit: (member: string, encoded: Buffer) => void): void {
  const { bytes, start } = part.reply;
  const count = countOf(part);
  let at = replyLineEnd(bytes, start);
  for (let i = 0; i < count; i++) {
    const from = replyLineEnd(bytes, at);
    const to = from + replyNumber(bytes, at);
    visit(bytes.latin1Slice(from, to), bytes.subarray(at, to + 2));
    at = to + 2;
  }
}

/** What any of the parts has. */
export function unite(parts: readonly AnsweredPart[]): Members {
  const all: Members = new Map();
  for (const part of parts) forEachMember(part, (member, encoded) => all.set(member, encoded));
  return all;
}

/** What all of the parts have. */
export function intersect(parts: readonly AnsweredPart[]): Members {
  const [smallest, ...others] = parts.toSorted((a, b) => countOf(a) - countOf(b));
  let common = unite([smallest]);
  for (const other of others) {
    if (common.size === 0) break;
    const both: Members = new Map();
    forEachMember(other, (member, encoded) => {
      if (common.has(member)) both.set(member, encoded);
    });
    common = both;
  }
  return common;
}

/** What the first part has and none of the others. */
export function subtract([first, ...others]: readonly AnsweredPart[]): Members {
  const left = unite([first]);
  for (const other of others) forEachMember(other, (member) => left.delete(member));
  return left;
}

/** The members as a reply: a set, in RESP2 an array. */
export function setReply(members: Members, protocol: 2 | 3): Buffer {
  const type = protocol === 3 ? '~' : '*';
  return Buffer.concat([Buffer.from(`${type}${members.size}\r\n`), ...members.values()]);
}
