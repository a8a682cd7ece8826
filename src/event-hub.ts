export type { JsonObject } from './core/json.js';
export type { EventCut } from './doors/event-cuts.js';
export {
  EventHubModule,
  type EventHubModuleAsyncOptions,
  type EventHubModuleExtras,
} from './doors/event-hub.module.js';
export type { EventHubOptions, EventHubOptionsFactory, OnGap } from './doors/event-hub.options.js';
export { EventHub } from './doors/event-hub.service.js';
export type { EventHubState } from './doors/event-subscription.js';
export type { HubEvent, HubEventMap } from './doors/judge-hub-event.js';
