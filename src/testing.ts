export {
  FakeApplication,
  type ClientAuthMethod,
  type EndpointAuthMethods,
  type FakeAccount,
  type FakeApplicationOptions,
  type FakeApplicationSettings,
  type Protocol,
} from './testing/application.js';
export type { TokenAlgorithm } from './testing/compact-token.js';
export {
  FakeEventHub,
  type FakeEventHubOptions,
  type FakeEventHubSettings,
  type Handshake,
  type HandshakeFault,
} from './testing/fake-event-hub.js';
export { FakeGenAuth } from './testing/fake-genauth.js';
export {
  FakeTransmitter,
  type FakeTransmitterOptions,
  type PushAnswer,
  type PushOptions,
} from './testing/fake-transmitter.js';
export type { Fault } from './testing/faults.js';
export type { Hold } from './testing/holds.js';
export type { Delivery, LogoutTokenOptions } from './testing/logout-token.js';
export { RequestLog, type Endpoint, type LoggedRequest } from './testing/request-log.js';
export type { EventName, Events, EventType, SetOptions } from './testing/security-event-token.js';
export type { LoggedPoll, SetError } from './testing/set-stream.js';
export { SigningKeys, type SigningAlgorithm, type SigningKey } from './testing/signing-keys.js';
export type { FakeGenAuthOptions } from './testing/start-up.js';
export type { Switches } from './testing/switches.js';
export type { TokenOptions } from './testing/token-builder.js';
export type {
  MachineTokenOptions,
  SignedIn,
  SignInOptions,
  TokenSet,
  WithRefreshToken,
} from './testing/token-issuer.js';
export type { FakeUser, UserStatus } from './testing/user-pool.js';
export type { WebhookOptions } from './testing/webhook.js';
export { VirtualClock } from './testing/virtual-clock.js';
