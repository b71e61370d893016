export { startAdminListener } from './listener.ts';
