import type { RequestParser } from '../../lib/codec/resp/index.ts';
import { commandTable } from '../../lib/commands/index.ts';
import { Joined, type Request, RequestState } from '../core/request.ts';
import { Joining } from './joining.ts';

export const GET = commandTable.get('GET')!.id;
/** Longer ones go as they came: there is nothing to gain. */
const MOST_BYTES = 1024;

/**
 * Which GETs of one client may go to a node as parts of an MGET, with others and those of other clients (`JoinedGets`). What comes behind them must not change what
 * they are about before they are answered: it waits. A client that sends such things does without for a while.
 */
export class ClientGets {
  /** Whether GETs that are taken now may. */
  mayJoin = false;
  /** Some that may be under way were marked so. */
  areMarked = false;
  readonly #joining = new Joining();

  /** Nothing of the client is under way, and commands of it have come. `isAllowed`: nothing else speaks against it. */
  begin(isAllowed: boolean): void {
    if (this.areMarked) this.#joining.went();
    this.areMarked = false;
    this.mayJoin = isAllowed && this.#joining.isDue();
  }

  /** How the command in `args`, which is to be sent as it is, may go. */
  markOf(commandId: number, { isInline, frameStart, frameEnd }: RequestParser): Joined {
    if (!this.mayJoin || commandId !== GET || isInline || frameEnd - frameStart > MOST_BYTES)
      return Joined.NO;
    this.areMarked = true;
    return Joined.MAY;
  }

  /** Another command has come behind what is under way, from `first` on. True: it has to wait for that. */
  end(first: Request | null): boolean {
    this.areMarked = false;
    if (first === null) return false;
    this.mayJoin = false;
    let mustWait = false;
    for (let request: Request | null = first; request !== null; request = request.next) {
      if (request.joined === Joined.MAY) request.joined = Joined.NO;
      else if (request.joined === Joined.YES && request.state !== RequestState.READY) mustWait = true;
    }
    if (mustWait) this.#joining.failed();
    else this.#joining.rest();
    return mustWait;
  }
}
