import { createHash } from 'node:crypto';
import { hexId, type FakeAccount, type FakeApplication } from './application.js';
import { accessClaims, buildToken, urlSafe, type TokenOptions } from './token-builder.js';
import type { Grant, IssuedToken } from './token-store.js';
import type { UserPool } from './user-pool.js';

const ACCESS_LIFETIME = 1_209_600;
const REFRESH_LIFETIME = 2_592_000;
const MACHINE_LIFETIME = 3600;

/** Who signs in, and what the tokens are to say. */
export interface SignInOptions {
  /** @default a new user: 24 random hex digits */
  sub?: string;
  /** Space-separated. @default 'openid profile' */
  scope?: string;
  /** @default the first application */
  appId?: string;
  /** Claims added to the access tokens, also in place of standard ones; `undefined` leaves one out. */
  claims?: Record<string, unknown>;
  /** Seconds that access and ID tokens live. @default 1209600 */
  lifetime?: number;
  /** Whether there is a refresh token, and the grant outlives the browser session. @default true */
  offline?: boolean;
  /** Repeated in the ID token. */
  nonce?: string;
  /** Claims of the user, for ID token and userinfo. */
  profile?: Record<string, unknown>;
}

/** Which machine asks, and what its token is to say. */
export interface MachineTokenOptions {
  /** @default the application's first account */
  accessKey?: string;
  /** @default the application of the account */
  appId?: string;
  /** Space-separated. @default the account's scope */
  scope?: string;
  /** A user who consented to the account; machine tokens have no `sub` otherwise. */
  sub?: string;
  /** Claims added, also in place of standard ones; `undefined` leaves one out. */
  claims?: Record<string, unknown>;
  /** Seconds. @default the account's */
  lifetime?: number;
}

/** The tokens of one grant, as the token endpoint answers them. */
export interface TokenSet {
  access_token: string;
  expires_in: number;
  token_type: 'Bearer';
  scope: string;
  /** With the OIDC protocol. */
  id_token?: string;
  /** With offline access. */
  refresh_token?: string;
}

/** A sign-in by the OIDC protocol. */
export type SignedIn = TokenSet & { id_token: string };

/** A grant with offline access. */
export type WithRefreshToken = { refresh_token: string };

/** Makes tokens and registers them with the server. */
export class TokenIssuer {
  constructor(private readonly pool: UserPool) {}

  /** JWT access token, ID token, and (offline) an opaque refresh token, of one new grant. */
  signIn(options: SignInOptions = {}): SignedIn {
    const grant = this.#grant('oidc', options);
    if (grant.sub !== undefined && options.profile) {
      this.pool.setUser(grant.sub, { profile: options.profile });
    }
    return this.#userTokens(grant, options.nonce);
  }

  /** Opaque access and refresh token of one new grant of the OAuth protocol. */
  opaque(options: SignInOptions = {}): TokenSet {
    return this.#opaqueTokens(this.#grant('oauth', { scope: 'user', ...options }));
  }

  /** New tokens of a grant that stands, with another refresh token or (unless `rotate`) without one. */
  renew(grant: Grant, rotate: boolean): TokenSet {
    if (grant.protocol === 'oauth') return this.#opaqueTokens(grant, rotate);
    return this.#userTokens(grant, undefined, rotate);
  }

  /** A machine's JWT; a grant of its own, since nothing else hangs on it. */
  machine(options: MachineTokenOptions = {}): string {
    const account = this.pool.account(options.accessKey, options.appId);
    const application = this.pool.application(options.appId ?? account.appId);
    const grant: Grant = {
      appId: application.appId,
      protocol: 'oidc',
      sub: options.sub,
      scope: options.scope ?? account.scope ?? '',
      offline: true,
      claims: options.claims ?? {},
      lifetime: options.lifetime ?? account.lifetime ?? MACHINE_LIFETIME,
      ended: false,
    };
    return this.#accessToken(application, grant, account);
  }

  /** A token as the options want it, of a grant of its own; the server knows it when `register` is set. */
  build(claims: Record<string, unknown>, options: TokenOptions = {}): string {
    const application = this.pool.application(options.appId);
    const grant = this.#grant('oidc', { appId: application.appId, claims });
    const payload = this.#claims(application, grant);
    const { token, key } = buildToken(application, payload, options);
    if (options.register) this.#register(token, { kind: kindOf(payload), grant, payload, key });
    return token;
  }

  #grant(protocol: Grant['protocol'], options: SignInOptions): Grant {
    return {
      appId: this.pool.application(options.appId).appId,
      protocol,
      sub: options.sub ?? hexId(24),
      scope: options.scope ?? 'openid profile',
      offline: options.offline ?? true,
      claims: options.claims ?? {},
      lifetime: options.lifetime ?? ACCESS_LIFETIME,
      ended: false,
    };
  }

  #userTokens(grant: Grant, nonce?: string, refreshable = grant.offline): SignedIn {
    const application = this.pool.application(grant.appId);
    const accessToken = this.#accessToken(application, grant);
    return {
      access_token: accessToken,
      expires_in: grant.lifetime,
      token_type: 'Bearer',
      scope: grant.scope,
      id_token: this.#idToken(application, grant, accessToken, nonce),
      ...(refreshable && { refresh_token: this.#refreshToken(application, grant) }),
    };
  }

  #opaqueTokens(grant: Grant, refreshable = grant.offline): TokenSet {
    const application = this.pool.application(grant.appId);
    const accessToken = hexId(40);
    this.#registerOpaque(accessToken, 'access', application, grant);
    return {
      access_token: accessToken,
      expires_in: grant.lifetime,
      token_type: 'Bearer',
      scope: grant.scope,
      ...(refreshable && { refresh_token: this.#refreshToken(application, grant) }),
    };
  }

  #accessToken(application: FakeApplication, grant: Grant, account?: FakeAccount): string {
    const payload = this.#claims(application, grant, account);
    const kid = this.pool.switches.accessTokenWithoutKid ? { kid: null } : {};
    const { token, key } = buildToken(application, payload, kid);
    this.#register(token, { kind: account ? 'machine' : 'access', grant, payload, key });
    return token;
  }

  #claims(application: FakeApplication, grant: Grant, account?: FakeAccount) {
    return accessClaims({
      sub: grant.sub,
      now: this.pool.now(),
      lifetime: grant.lifetime,
      scope: grant.scope,
      iss: application.issuer,
      aud: account ? account.accessKey : application.appId,
      ...(account && { azp: application.appId }),
      claims: grant.claims,
    });
  }

  #idToken(
    application: FakeApplication,
    grant: Grant,
    accessToken: string,
    nonce?: string,
  ): string {
    const iat = this.#seconds();
    const half = createHash('sha256').update(accessToken).digest().subarray(0, 16);
    const payload = {
      sub: grant.sub,
      aud: application.appId,
      exp: iat + grant.lifetime,
      iat,
      iss: application.issuer,
      ...(nonce !== undefined && { nonce }),
      at_hash: half.toString('base64url'),
      ...(grant.sub !== undefined && this.pool.user(grant.sub).profile),
    };
    const symmetric = (application.idTokenAlg ?? this.pool.switches.idTokenAlg) === 'HS256';
    const how: TokenOptions = symmetric ? { alg: 'HS256', kid: null } : {};
    const { token, key } = buildToken(application, payload, how);
    this.#register(token, { kind: 'id', grant, payload, key });
    return token;
  }

  #refreshToken(application: FakeApplication, grant: Grant): string {
    const text = grant.protocol === 'oauth' ? hexId(40) : urlSafe(43);
    this.#registerOpaque(text, 'refresh', application, grant);
    return text;
  }

  #registerOpaque(
    text: string,
    kind: 'access' | 'refresh',
    application: FakeApplication,
    grant: Grant,
  ): void {
    const payload = accessClaims({
      sub: grant.sub,
      now: this.pool.now(),
      lifetime: kind === 'refresh' ? REFRESH_LIFETIME : grant.lifetime,
      scope: grant.scope,
      iss: application.issuerOf(grant.protocol),
      aud: application.appId,
      // An opaque token is its own id in the engine, and introspection says so.
      claims: { jti: text },
    });
    this.#register(text, { kind, grant, payload });
  }

  #register(text: string, token: Omit<IssuedToken, 'revoked'>): void {
    this.pool.tokens.add(text, { ...token, revoked: false });
  }

  #seconds(): number {
    return Math.floor(this.pool.now() / 1000);
  }
}

function kindOf(payload: Record<string, unknown>): 'access' | 'machine' {
  return payload['azp'] !== undefined && payload['sub'] === undefined ? 'machine' : 'access';
}
