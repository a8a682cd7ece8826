export type { NewsMessage } from './core/channels.js';
export type { JsonObject } from './core/json.js';
export type { DoorSource } from './core/revocation.js';
export {
  BackchannelLogoutModule,
  type BackchannelLogoutModuleAsyncOptions,
} from './doors/backchannel-logout.module.js';
export type {
  BackchannelLogoutOptions,
  BackchannelLogoutOptionsFactory,
} from './doors/backchannel-logout.options.js';
export type { DoorExtras } from './doors/door-extras.js';
export type { EventCut } from './doors/event-cuts.js';
export {
  GenAuthWebhookModule,
  type GenAuthWebhookModuleAsyncOptions,
} from './doors/genauth-webhook.module.js';
export type {
  GenAuthWebhookOptions,
  GenAuthWebhookOptionsFactory,
  WebhookEvent,
} from './doors/webhook.options.js';
export {
  SecurityEventsModule,
  type SecurityEventsModuleAsyncOptions,
  type SecurityEventsModuleExtras,
} from './doors/security-events.module.js';
export type {
  EventEffect,
  PollOptions,
  SecurityEventsOptions,
  SecurityEventsOptionsFactory,
  TransmitterOptions,
} from './doors/security-events.options.js';
export type { SignatureAlgorithm } from './genauth.options.js';
