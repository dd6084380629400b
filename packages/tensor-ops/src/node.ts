export { initBackend } from './devices/init-node-backend';
export * from './index';
