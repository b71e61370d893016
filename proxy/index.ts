export { type ProxyDeps, type RunningProxy, startProxy } from './proxy.ts';
