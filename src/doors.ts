export type { NewsMessage } from './core/channels.js';
export type { DoorSource } from './core/revocation.js';
