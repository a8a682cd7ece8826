export type {
  AlarmMessage,
  NewsMessage,
  RefusalMessage,
  RevocationMessage,
} from './core/channels.js';
export { Clock, type Moment } from './core/clock.js';
export type { Demands } from './core/demands.js';
export {
  BearerRequestError,
  GenAuthError,
  GenAuthOptionsError,
  GenAuthUnavailableError,
  InsufficientScopeError,
  RevocationError,
  type RevocationFailure,
  TokenError,
  type TokenRefusal,
  type Unavailability,
  type RevocationReceipt,
} from './core/errors.js';
export type { JsonObject } from './core/json.js';
export type { Principal } from './core/principal.js';
export {
  reaches,
  type Digest,
  type DoorSource,
  type Revocation,
  type RevocationEvent,
  type RevocationKind,
  type RevocationSource,
  type WatermarkKind,
} from './core/revocation.js';
export {
  GenAuthModule,
  type GenAuthModuleAsyncOptions,
  type GenAuthModuleExtras,
} from './genauth.module.js';
export type {
  ClientAuthMethod,
  GenAuthApplicationOptions,
  GenAuthModuleOptions,
  GenAuthOptionsFactory,
  GenAuthSharedOptions,
  SignatureAlgorithm,
  WhenStale,
} from './genauth.options.js';
export {
  Audience,
  BearerToken,
  CurrentPrincipal,
  Fresh,
  OnRevocation,
  OptionalAuth,
  Public,
  Scopes,
} from './http/decorators.js';
export { GenAuthGuard } from './http/genauth.guard.js';
export {
  type Errand,
  type Freshness,
  RevocationLog,
  type RevocationLogContext,
} from './core/revocation-log.js';
export { InProcessRevocationLog } from './revocation/in-process-log.js';
export type { RevokeOptions } from './revocation-task.js';
export type { IntrospectOptions } from './token-introspection.js';
export { type CutOptions, type Readiness, TokenService } from './token.service.js';
