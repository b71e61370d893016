export { type ControlPlane, type ControlPlaneDeps, startControlPlane } from './server.ts';
