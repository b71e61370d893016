import { type Clock, isRingsideError, type Logger, type Random } from '../../lib/base/index.ts';
import type { ReplicationState, Sealed } from '../../lib/codec/proto/index.ts';
import { parseAddress } from '../../lib/net/index.ts';
import { judgeDocument, parseDocument, type RingDocument } from '../../lib/ring/index.ts';
import type { Databases } from '../databases.ts';
import type { Keyspace } from '../keyspace.ts';
import type { Followers } from '../replication/followers.ts';
import type { LeaderLink, LeaderLinkHooks, LeaderTarget } from '../replication/leader-link.ts';
import { decidePosition, type Identity, type Position } from './role.ts';
import type { ShardState } from './shard-state.ts';

/** What becomes of an offered document. */
export type Verdict =
  | { readonly accepted: true; readonly document: RingDocument }
  | { readonly accepted: false; readonly code: 'older' | 'conflict' | 'invalid'; readonly message: string };

/** What the controller moves. */
export interface ControllerParts {
  readonly identity: Identity;
  readonly shard: ShardState;
  readonly databases: Databases;
  readonly keyspace: Keyspace;
  readonly followers: Followers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly openLink: (target: LeaderTarget, hooks: LeaderLinkHooks) => LeaderLink;
  /** Answers that wait for followers get their error: the node leads no more. */
  readonly giveUpHeldReplies: () => void;
  /** A full sync has been loaded: no file has this data set yet. */
  readonly onLoaded: () => void;
}

/** Whom a standalone follower follows, at which epoch; a clustered node has it from the document. */
type Following = Pick<LeaderTarget, 'host' | 'port' | 'shardEpoch'>;

/**
 * Moves the node between roles, as documents and seals ask for it. What a node is, `decidePosition` decides; here the data set, the
 * stream, the lease and the links are made to agree with it, at once and without waiting for anything.
 */
export class Controller {
  readonly #parts: ControllerParts;
  #document: RingDocument | null = null;
  #documentJson = '';
  #sealedEpoch = 0;
  #position: Position;
  #link: LeaderLink | null = null;
  #following: Following | null = null;
  /** The stream in the log is one that this node itself began, or took over at a promotion. */
  #ownsStream = true;
  /** The data set is what an earlier process left on disk, and has not been level with a leader since. */
  #isRestored = false;
  #grantedAtMs: number;
  #heardAtMs = -1;
  /** Called after a change of role or of being synced. */
  onChange: () => void = () => {};
  /** The leader, or a client, knows a newer shard epoch: ask for the newest document. */
  onBehind: () => void = () => {};

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.#position = decidePosition(parts.identity, null, 0);
    // Whoever ran here before may have granted a lease a moment ago.
    this.#grantedAtMs = parts.clock.monotonicMs();
    parts.shard.onBehind = () => this.onBehind();
    parts.shard.replicaOf = (leader) => this.replicaOf(leader);
    parts.followers.onGrant = (id, epoch, sentAtMs) =>
      parts.shard.lease.grantedByFollower(id, epoch, sentAtMs);
  }

  get position(): Position {
    return this.#position;
  }

  get sealedEpoch(): number {
    return this.#sealedEpoch;
  }

  get document(): RingDocument | null {
    return this.#document;
  }

  /** The applied document exactly as it was offered; empty for none. */
  get documentJson(): string {
    return this.#documentJson;
  }

  /** Whether this node leads, or follows a leader level with its stream. */
  get isSynced(): boolean {
    return this.#position.role === 'leader' || (this.#link?.isSynced ?? false);
  }

  /**
   * An earlier process of this node left a data set, which has been loaded: it is whole, and stands in the stream that the log names, under the
   * name that somebody else may know it by.
   */
  restored(): void {
    const { shard, keyspace } = this.#parts;
    shard.complete = true;
    this.#isRestored = true;
    if (keyspace.log.active) this.#ownsStream = false;
  }

  /** Takes over what an earlier process of this node left on disk. */
  restore(documentJson: string | null, sealedEpoch: number): void {
    this.#sealedEpoch = sealedEpoch;
    if (documentJson) this.offer(documentJson);
  }

  /** Applies the document if it is newer than the one in force. */
  offer(json: string): Verdict {
    let document: RingDocument;
    try {
      document = parseDocument(json);
    } catch (error) {
      if (!isRingsideError(error)) throw error;
      return { accepted: false, code: 'invalid', message: error.message };
    }
    const judgement = judgeDocument(this.#document, document);
    const held = this.#document && `${this.#document.incarnation}/${this.#document.epoch}`;
    if (judgement === 'older' || judgement === 'conflict') {
      return {
        accepted: false,
        code: judgement,
        message: `this node holds ${held} ${this.#document?.sha256}`,
      };
    }
    if (judgement === 'newer') {
      this.#document = document;
      this.#documentJson = json;
      this.#reposition();
    }
    return { accepted: true, document };
  }

  /** Refuses, from now on, the stream and the lease of any leader below `epoch`. Without effect unless above what is known. */
  seal(epoch: number): void {
    if (epoch <= this.#sealedEpoch || epoch <= this.#position.epoch) return;
    this.#sealedEpoch = epoch;
    this.#reposition();
  }

  /** The answer to a seal. */
  sealed(): Omit<Sealed, 'shard'> {
    return {
      epoch: String(Math.max(this.#sealedEpoch, this.#position.epoch)),
      replication: this.replicationState(),
      lastGrantAgoMs: Math.ceil(this.#parts.clock.monotonicMs() - this.#lastGrantMs),
    };
  }

  get #lastGrantMs(): number {
    return Math.max(this.#grantedAtMs, this.#link?.grantedAtMs ?? -1);
  }

  /** Milliseconds since anything came from the leader; -1 for never. */
  get leaderSilentMs(): number {
    const heardAtMs = Math.max(this.#heardAtMs, this.#link?.heardAtMs ?? -1);
    return heardAtMs < 0 ? -1 : this.#parts.clock.monotonicMs() - heardAtMs;
  }

  replicationState(): ReplicationState {
    const { keyspace, shard } = this.#parts;
    return {
      replId: keyspace.log.replId,
      offset: String(keyspace.log.end),
      synced: this.isSynced,
      complete: shard.complete,
      streamEpoch: String(keyspace.log.epoch),
      restored: this.#isRestored,
    };
  }

  #reposition(): void {
    const { identity, shard, log } = this.#parts;
    const before = this.#position;
    const after = decidePosition(identity, this.#document, this.#sealedEpoch);
    this.#position = after;
    shard.epoch = after.epoch;
    if (after.role === 'leader') this.#lead(after);
    else this.#stopLeading();
    this.#follow(after);
    if (before.role !== after.role || before.epoch !== after.epoch) {
      log.info(
        { role: after.role, epoch: after.epoch, reason: after.reason || undefined },
        `now ${after.role}`,
      );
    }
    this.onChange();
  }

  #lead(position: Position): void {
    const { shard, keyspace, followers } = this.#parts;
    const { epoch, leaseMs, listedFollowers } = position;
    this.#endLink();
    this.#ownStream();
    this.#isRestored = false;
    keyspace.data.isPassedOn = false;
    if (keyspace.log.epoch !== epoch) keyspace.versions.startEpoch(epoch);
    keyspace.log.epoch = epoch;
    keyspace.data.removesExpired = true;
    shard.lease.hold(epoch, leaseMs, listedFollowers);
    shard.leads = true;
    shard.complete = true;
    shard.leader = null;
    followers.epoch = epoch;
    followers.listed = new Set(listedFollowers);
    followers.askForLease();
    followers.onProgress();
  }

  /** Leads from where the stream stands, under a name of its own: others may have gone on with it where this node knows nothing of. */
  #ownStream(): void {
    const { shard, keyspace, random, followers } = this.#parts;
    if (!this.#ownsStream) followers.closeAll('the stream goes on under another name');
    if (!shard.complete) this.#startEmpty();
    else if (!this.#ownsStream) {
      keyspace.log.rename(random.hex(20));
      keyspace.log.position.announce();
    }
    this.#ownsStream = true;
  }

  /** Begins a data set. A part of one, from a full sync that never ended, is none: nobody may go on from its stream. */
  #startEmpty(): void {
    const { databases, keyspace } = this.#parts;
    const { log } = keyspace;
    databases.reset();
    if (!this.#ownsStream) log.restart(this.#parts.random.hex(20), log.end);
  }

  /** Leads from now on, on its own: a node without a control plane that followed nobody, or follows no more. */
  leadAlone(): void {
    const { shard, keyspace, clock } = this.#parts;
    this.#endLink();
    this.#following = null;
    keyspace.data.isPassedOn = false;
    if (!this.#ownsStream) this.#ownStream();
    keyspace.versions.startAtTime(clock.wallMs());
    keyspace.data.removesExpired = true;
    shard.leads = true;
    shard.complete = true;
  }

  /** Follows the leader that somebody names, as a node without a control plane; null: nobody. Returns false when it does so already. */
  replicaOf(leader: { readonly host: string; readonly port: number } | null): boolean {
    const { shard } = this.#parts;
    if (leader === null) {
      if (shard.leader !== null) this.leadAlone();
      return true;
    }
    if (shard.leader?.host === leader.host && shard.leader.port === leader.port) return false;
    this.#stopLeading();
    this.follow({ ...leader, shardEpoch: 0 });
    return true;
  }

  #stopLeading(): void {
    const { shard, keyspace, giveUpHeldReplies } = this.#parts;
    keyspace.data.removesExpired = false;
    if (!shard.leads) return;
    shard.leads = false;
    shard.lease.drop();
    giveUpHeldReplies();
  }

  #follow(position: Position): void {
    const { leader, epoch } = position;
    if (leader === null) this.#endLink();
    else this.follow({ ...parseAddress(leader.address), shardEpoch: epoch });
  }

  /** Follows this leader; nothing changes when it does so already. */
  follow(following: Following): void {
    const { shard, identity, followers, openLink, keyspace } = this.#parts;
    const now = this.#following;
    const sameLeader = now?.host === following.host && now.port === following.port;
    if (sameLeader && now.shardEpoch === following.shardEpoch && this.#link) return;
    this.#endLink();
    if (!sameLeader) this.#heardAtMs = -1;
    followers.closeAll('this node follows another one now');
    keyspace.data.removesExpired = false;
    this.#following = following;
    keyspace.data.isPassedOn = true;
    shard.leader = { host: following.host, port: following.port };
    shard.linkDownSinceMs = this.#parts.clock.monotonicMs();
    this.#link = openLink(
      { ...following, shard: identity.shard, id: identity.id },
      {
        mayGrant: (epoch) => epoch >= this.#sealedEpoch && epoch >= this.#position.epoch,
        isComplete: () => shard.complete,
        onFullSync: () => {
          this.#isRestored = false;
          followers.closeAll('the data set begins anew');
          shard.complete = false;
          this.#ownsStream = false;
          this.onChange();
        },
        onLoaded: () => {
          shard.complete = true;
          keyspace.log.epoch = following.shardEpoch;
          this.#parts.onLoaded();
        },
        onRenamed: () => followers.closeAll('the stream goes on under another name'),
        onStream: () => followers.wake(),
        onSynced: (synced) => this.#synced(synced, following.shardEpoch),
        onRefused: (text) => {
          if (text.startsWith('STALERING')) this.onBehind();
        },
      },
    );
    shard.link = this.#link;
  }

  #synced(synced: boolean, epoch: number): void {
    const { shard, keyspace } = this.#parts;
    shard.linkUp = synced;
    if (!synced) shard.linkDownSinceMs = this.#parts.clock.monotonicMs();
    if (synced) {
      shard.complete = true;
      this.#ownsStream = false;
      this.#isRestored = false;
      keyspace.log.epoch = epoch;
    }
    this.onChange();
  }

  #endLink(): void {
    const link = this.#link;
    if (!link) return;
    this.#link = null;
    this.#heardAtMs = link.heardAtMs;
    this.#grantedAtMs = Math.max(this.#grantedAtMs, link.grantedAtMs);
    link.close();
    this.#parts.shard.linkUp = false;
    this.#parts.shard.link = null;
    this.#parts.shard.leader = null;
  }

  /** Ends the link to the leader. */
  close(): void {
    this.#endLink();
  }
}
