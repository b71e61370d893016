/** How far a node has come in which stream of changes. */
export interface StreamPlace {
  /** Name of the stream. */
  readonly stream: string;
  /** Bytes of it that have taken effect. */
  readonly offset: number;
  readonly leads: boolean;
}

/** What `INFO replication` says of it; null when it says nothing of the kind, or the node is being given another data set. */
export function placeIn(info: string): StreamPlace | null {
  const field = (name: string) => new RegExp(`^${name}:(\\S+)\\r?$`, 'm').exec(info)?.[1];
  const role = field('role');
  const stream = field('master_replid');
  const offset = field(role === 'master' ? 'master_repl_offset' : 'slave_repl_offset');
  if (role === undefined || stream === undefined || offset === undefined) return null;
  if (field('master_sync_in_progress') === '1') return null;
  return { stream, offset: Number(offset), leads: role === 'master' };
}

/** Everything that had taken effect at a leader when it was asked. */
export interface Mark extends StreamPlace {
  /** Begun when the leader was about to be asked (`KeyUses`). */
  readonly moment: number;
  /** When that was, monotonic milliseconds. */
  readonly askedMs: number;
}

/** Whether a follower at this place has everything that the leader had then. */
export function hasReached(place: StreamPlace | null, mark: Mark): boolean {
  return place !== null && !place.leads && place.stream === mark.stream && place.offset >= mark.offset;
}
