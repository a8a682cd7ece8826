import type { EndpointAuthMethods } from './application.js';

/** How the stand-in behaves where GenAuth's tenants, versions and documents differ. */
export interface Switches {
  /** Whether revoking an access token ends its whole grant (engine 5 and 9) or that token alone (6, 7). */
  accessTokenRevocationEndsGrant: boolean;
  /** Whether the refresh grant gives a new refresh token; using an old one then ends the grant. */
  refreshRotation: boolean;
  /** What revoking a JWT does: it dies, it is refused with 400, or 200 is answered and nothing happens. */
  jwtRevocation: 'revoke' | 'unsupported_token_type' | 'no-op';
  /** What introspecting a JWT does: the truth, a refusal with 400 (engine 9), or always inactive (7). */
  jwtIntrospection: 'introspect' | 'unsupported_token_type' | 'inactive';
  /** The body of a successful revocation. */
  revocationBody: 'empty' | 'true' | 'json';
  /** Whether `error_description` is Chinese, as seen on live tenants. */
  localizedErrors: boolean;
  /** How ID tokens are signed; HS256 takes the application's secret. RS256 stands for the current key. */
  idTokenAlg: 'RS256' | 'HS256';
  /** Whether access tokens come without `kid` in their header. */
  accessTokenWithoutKid: boolean;
  /** Whether a client with a secret learns about tokens of other applications. */
  introspectForeignTokens: boolean;
  /** Whether a secret has to come the way the application is set to (engine 5), or either way will do. */
  strictAuthMethods: boolean;
  /** Whether introspection answers name the `token_type` (engine 5 does not). */
  introspectionTokenType: boolean;
  /** The HTTP status of a refusal by `validate_token`; GenAuth does not document it. */
  validateTokenFailureStatus: number;
  /** Added to the clock that stamps tokens and answers, and that decides expiry. */
  clockOffsetMs: number;
  /** Per application id, the same objects as `application.authMethods`. */
  readonly authMethods: Record<string, EndpointAuthMethods>;
}

/** The switches of a default tenant: engine 6, documents followed where they say something. */
export function defaultSwitches(authMethods: Record<string, EndpointAuthMethods>): Switches {
  return {
    accessTokenRevocationEndsGrant: false,
    refreshRotation: false,
    jwtRevocation: 'revoke',
    jwtIntrospection: 'introspect',
    revocationBody: 'empty',
    localizedErrors: false,
    idTokenAlg: 'RS256',
    accessTokenWithoutKid: false,
    introspectForeignTokens: true,
    strictAuthMethods: false,
    introspectionTokenType: true,
    validateTokenFailureStatus: 400,
    clockOffsetMs: 0,
    authMethods,
  };
}
