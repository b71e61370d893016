export { type Capability, capability } from './capability.ts';
export { accessOf, engineOf } from './engine-of.ts';
export { isFollowed, UpstreamFollower } from './upstream-follower.ts';
