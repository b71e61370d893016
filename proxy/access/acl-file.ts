import { readFile } from 'node:fs/promises';
import { NO_ACL_FILE, writeAclFile } from '../../lib/acl/index.ts';
import type { Logger } from '../../lib/base/index.ts';
import { AtomicFile } from '../../lib/net/index.ts';
import { askAll, type Desk, type Group } from '../workers/questions.ts';
import type { Access, UserChange } from './access.ts';

const NOT_SAVED =
  'ERR There was an error trying to save the ACLs. Please check the server logs for more information';

/** What ACL LOAD and SAVE ask of the main thread. */
export type FileErrand = 'load' | 'save';

/** `proxy.aclFile`, in the hands of the main thread. */
export class AclFile {
  readonly #path: string | null;
  readonly #access: Access;
  readonly #log: Logger;

  constructor(path: string | null, access: Access, log: Logger) {
    this.#path = path;
    this.#access = access;
    this.#log = log;
  }

  /** Does it; `change` makes a change in all threads. Resolves with Redis's error text, or null when it is done. */
  async run(
    errand: FileErrand,
    change: (change: UserChange) => Promise<string | null>,
  ): Promise<string | null> {
    const path = this.#path;
    if (path === null) return NO_ACL_FILE;
    return errand === 'save' ? this.#save(path) : this.#load(path, change);
  }

  async #save(path: string): Promise<string | null> {
    try {
      const text = Buffer.from(writeAclFile(this.#access.users), 'latin1').toString();
      await new AtomicFile(path, { mode: 0o600 }).write(text);
      return null;
    } catch (error) {
      this.#log.error({ path, err: error, setting: 'proxy.aclFile' }, 'the users were not saved');
      return NOT_SAVED;
    }
  }

  async #load(path: string, change: (change: UserChange) => Promise<string | null>): Promise<string | null> {
    let text: string;
    try {
      text = await readFile(path, 'latin1');
    } catch (error) {
      return `ERR Error loading ACLs, opening file '${path}': ${(error as Error).message}`;
    }
    return change({ kind: 'load', text, path });
  }
}

/** Lets the main thread do what ACL LOAD and SAVE ask for; a file that was read becomes the users of all threads. */
export function answerFileErrands(file: AclFile, desk: Desk, group: Group): void {
  const change = async (users: UserChange) => {
    const [result] = await askAll(group, 'users', users);
    return 'error' in result ? `ERR ${result.error}` : null;
  };
  desk.on('aclFile', (errand) => file.run(errand, change));
}
