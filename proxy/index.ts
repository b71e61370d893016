export { checkUsers } from './check-users.ts';
export { type ProxyDeps, type RunningProxy, startProxy } from './proxy.ts';
