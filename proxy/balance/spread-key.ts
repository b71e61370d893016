import { encodeCommand } from '../../lib/codec/resp/index.ts';
import type { NamespaceRules } from '../core/namespace-rules.ts';
import type { Request, Sink } from '../core/request.ts';
import type { UpstreamNode } from '../core/topology.ts';
import type { Form } from '../near/index.ts';
import type { NodeLoad } from './node-loads.ts';
import type { SpreadRead } from './spread-read.ts';
import { VersionFloor } from './version-floor.ts';

/** Where reads of a key may go. */
export interface Place {
  readonly kind: 'leader' | 'follower' | 'overflow';
  readonly load: NodeLoad<UpstreamNode>;
  /** Of an overflow shard: a copy is on its way there; it is not asked meanwhile. */
  isStoring: boolean;
  /** Of an overflow shard: it has had a copy from here. */
  hasCopy: boolean;
  /** Until when it is left alone, monotonic milliseconds. */
  restsUntilMs: number;
}

/** A client's read that has not been sent. */
export interface HeldRead {
  readonly request: Request;
  readonly form: Form;
}

/**
 * The reads of one key that one client has under way. All of them go to one place, so that they are answered in the order of their versions; what would
 * go elsewhere waits for them.
 */
export interface Lane {
  readonly sender: Sink;
  at: Place;
  /** When the client's bytes were read that its newest read was in: what came in one piece stays together. */
  sinceMs: number;
  /** In their order. */
  readonly reads: SpreadRead[];
  /** Behind these. */
  readonly held: HeldRead[];
  /** What `at` answers is not good enough, and those behind it would not be good enough either. */
  isBroken: boolean;
}

/** What a spread key begins with. */
export interface SpreadKeyParts {
  readonly key: Buffer;
  readonly hash: number;
  readonly rules: NamespaceRules;
  readonly places: readonly Place[];
  readonly nowMs: number;
}

/** One key whose reads are spread: what is known of its versions, the places where it may be read, and who reads it now. */
export class SpreadKey {
  readonly key: Buffer;
  readonly hash: number;
  readonly rules: NamespaceRules;
  /** The commands that read it and tell its version: at a node of its shard, and of a copy. */
  readonly readFrame: Buffer;
  readonly copyFrame: Buffer;
  readonly floor: VersionFloor;
  readonly lanes = new Map<Sink, Lane>();
  /** First the leader. */
  places: readonly Place[];
  /** It holds no string: only the leader is asked. */
  isOff = false;
  /** When the leader was asked last, and when a read was last placed elsewhere (or the key came); monotonic milliseconds. */
  askedMs = 0;
  spreadMs: number;

  constructor({ key, hash, rules, places, nowMs }: SpreadKeyParts) {
    this.key = key;
    this.spreadMs = nowMs;
    this.hash = hash;
    this.rules = rules;
    this.readFrame = encodeCommand('RS.GET', key, 'TAIL');
    this.copyFrame = encodeCommand('RS.COPY', 'GET', key);
    this.floor = new VersionFloor(rules.stalenessMs);
    this.places = places;
  }

  get leader(): Place {
    return this.places[0];
  }

  /** Whether it is the key `buffer[start, end)`. */
  is(buffer: Buffer, start: number, end: number): boolean {
    const { key } = this;
    return key.length === end - start && key.compare(buffer, start, end) === 0;
  }
}

/** A place of which nothing is known. */
export function placeAt(kind: Place['kind'], load: NodeLoad<UpstreamNode>): Place {
  return { kind, load, isStoring: false, hasCopy: false, restsUntilMs: 0 };
}
