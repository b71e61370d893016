import { RespError } from '../../lib/codec/resp/index.ts';
import { type NodeView, parseRole } from './role.ts';
import { Watch, type WatchEnvironment } from './watch.ts';

/** Asks one server for its ROLE, for as long as it lives. */
export class RoleWatch extends Watch {
  view: NodeView = { role: 'unknown' };

  constructor(address: string, login: readonly string[] | null, env: WatchEnvironment) {
    super(address, login, env);
    this.begin();
  }

  protected override async ask(): Promise<void> {
    const [reply] = await this.enquirer.ask(['ROLE']);
    this.view = parseRole(reply);
  }

  protected override failed(error: Error): void {
    this.view = { role: 'unreachable' };
    // That it cannot be reached is told by the connections that carry data.
    if (error instanceof RespError) this.report('node', error.message, 'a server does not tell its role');
  }
}
