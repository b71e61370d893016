import type { Config } from '../lib/config/index.ts';
import { type Parent, runRole } from './role.ts';

/** Names of the long-running roles, as commands. */
export type RoleName = 'node' | 'proxy' | 'control-plane';

/** How a role is run. */
export interface RoleOptions {
  /** Print the ready line as JSON. */
  readonly json?: boolean;
  /** The process that ends this one when it ends itself. */
  readonly parent?: Parent;
}

/** Runs one role until it is told to end. Each role's code is loaded only here. */
export const roles: Readonly<Record<RoleName, (config: Config, options: RoleOptions) => Promise<void>>> = {
  async node(config, options) {
    const { startNode } = await import('../node/index.ts');
    const { id, standalone } = config.node;
    const who = { role: 'node', id: id ?? (standalone ? 'standalone' : null) };
    await runRole(config, { ...who, ...options }, (deps) => startNode(config, deps));
  },
  async proxy(config, options) {
    const { startProxy } = await import('../proxy/index.ts');
    const who = { role: 'proxy', id: config.proxy.id };
    await runRole(config, { ...who, ...options }, (deps) => startProxy(config, deps));
  },
  async 'control-plane'(config, options) {
    const { startControlPlane } = await import('../control-plane/index.ts');
    const who = { role: 'control-plane', id: config.controlPlane.id };
    await runRole(config, { ...who, ...options }, (deps) => startControlPlane(config, deps));
  },
};
