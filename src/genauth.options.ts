import type { Cache } from 'cache-manager';

import type { RevocationLog } from './core/revocation-log.js';

/** How this backend may authenticate itself at an endpoint of GenAuth (RFC 6749 §2.3). */
export const CLIENT_AUTH_METHODS = ['client_secret_post', 'client_secret_basic', 'none'] as const;

/** How this backend authenticates itself at an endpoint of GenAuth (RFC 6749 §2.3). */
export type ClientAuthMethod = (typeof CLIENT_AUTH_METHODS)[number];

/** Signature algorithms that may be allowed (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export const SIGNATURE_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** A signature algorithm that may be allowed (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

/**
 * One GenAuth application: its own issuer, with its own signing keys. The three that come from the
 * environment may be undefined for the compiler; at start they may not.
 */
export interface GenAuthApplicationOptions {
  /** The application's id, as shown in GenAuth's console. */
  appId: string | undefined;
  /** Where the application is reached, for example `https://example.genauth.ai`. https except on loopback. */
  appHost: string | undefined;
  /** The application's secret. Needed unless both endpoint methods are `none`. */
  appSecret?: string | undefined;
  /** `oauth`: opaque tokens, `/oauth/…` endpoints, always verified online. @default 'oidc' */
  protocol?: 'oidc' | 'oauth';
  /** Exact value, or values, of `iss` to accept. @default `{appHost}/oidc` */
  issuer?: string | readonly string[];
  /** A token must name one of these in `aud`. @default the appId */
  audience?: string | readonly string[];
  /** Also accept a token whose `azp` is the appId: GenAuth's machine-to-machine tokens. @default false */
  acceptAuthorizedParty?: boolean;
  /** @default `{appHost}/oidc/.well-known/jwks.json` */
  jwksUri?: string;
  /** @default `{appHost}/oidc/token/introspection` */
  introspectionEndpoint?: string;
  /** @default `{appHost}/oidc/token/revocation` */
  revocationEndpoint?: string;
  /** @default 'client_secret_post' */
  introspectionEndPointAuthMethod?: ClientAuthMethod;
  /** @default 'client_secret_post' */
  revocationEndPointAuthMethod?: ClientAuthMethod;
  /** Allow-list for signatures; symmetric algorithms and `none` are refused. @default ['RS256'] */
  algorithms?: readonly SignatureAlgorithm[];
  /** `online` asks GenAuth about every token. Opaque tokens are always verified online. @default 'local' */
  verification?: 'local' | 'online';
}

/** What happens when the revocation log cannot vouch for a token. */
export type WhenStale = 'introspect' | 'refuse' | 'accept';

/** The options that concern the whole module. Durations are milliseconds. */
export interface GenAuthSharedOptions {
  /** Tolerated difference between clocks; at most 5 minutes. @default 5_000 */
  clockTolerance?: number;
  /** The longest life GenAuth gives a token. The same for the whole fleet. @default 1_209_600_000 (14 days) */
  maxTokenLifetime?: number;
  /** Bounds of what is remembered, and optionally your own store for introspection results. */
  cache?: {
    /** Entries in this process. @default 10_000 */
    max?: number;
    /**
     * How long a verified token is remembered; never past its expiry, and up to there when GenAuth had to be
     * asked about it.
     *
     * @default 60_000
     */
    ttl?: number;
    /** A cache-manager cache shared by several processes. Never given the verdicts on JWTs. */
    store?: Cache;
  };
  /** How long GenAuth's "active" is reused. At most, and by default at most, `revocation.maxStaleness`. @default 10_000 */
  introspectionTtl?: number;
  /** The signing keys. */
  keys?: {
    /** Refreshed after this long. @default 600_000 */
    maxAge?: number;
    /** Pause between attempts to fetch. @default 30_000 */
    cooldown?: number;
    /** How long after the last successful fetch keys still serve while GenAuth is away. @default 3_600_000 */
    staleLimit?: number;
  };
  /** How long a definite refusal is remembered; 0 turns it off. @default 5_000 */
  refusalTtl?: number;
  /** How revocations are remembered and shared. */
  revocation?: {
    /** @default a log for this process alone */
    log?: RevocationLog;
    /** How old the proof of being current may be. @default 10_000 */
    maxStaleness?: number;
    /** `accept` is fail-open: tokens that were revoked elsewhere may pass. @default 'introspect' */
    whenStale?: WhenStale;
    /** Most revocations held in memory; beyond, nothing is accepted on the index's word. @default 5_000_000 */
    maxEntries?: number;
  };
  /** Time limit of each call to GenAuth. @default 3_000 */
  timeout?: number;
  /** Verify GenAuth's TLS certificate. @default true */
  rejectUnauthorized?: boolean;
}

/** Options of `GenAuthModule.forRoot`: one application written flat, or several in `applications`. */
export type GenAuthModuleOptions = GenAuthSharedOptions &
  (
    | (GenAuthApplicationOptions & { applications?: never })
    | ({ applications: readonly GenAuthApplicationOptions[] } & {
        [Name in keyof GenAuthApplicationOptions]?: never;
      })
  );

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface GenAuthOptionsFactory {
  createGenAuthOptions(): GenAuthModuleOptions | Promise<GenAuthModuleOptions>;
}

/** One application with every default filled in. */
export interface ResolvedApplication {
  readonly appId: string;
  readonly appHost: string;
  readonly appSecret: string | undefined;
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly acceptAuthorizedParty: boolean;
  readonly jwksUri: string;
  readonly introspectionEndpoint: string;
  readonly revocationEndpoint: string;
  readonly introspectionAuthMethod: ClientAuthMethod;
  readonly revocationAuthMethod: ClientAuthMethod;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly online: boolean;
}

/** The options with every default filled in, checked and frozen. The class is the injection token. */
export abstract class ResolvedOptions {
  abstract readonly applications: readonly ResolvedApplication[];
  abstract readonly clockToleranceMs: number;
  abstract readonly maxTokenLifetimeMs: number;
  abstract readonly cacheMax: number;
  abstract readonly cacheTtlMs: number;
  abstract readonly cacheStore: Cache | undefined;
  abstract readonly introspectionTtlMs: number;
  abstract readonly keysMaxAgeMs: number;
  abstract readonly keysCooldownMs: number;
  abstract readonly keysStaleLimitMs: number;
  abstract readonly refusalTtlMs: number;
  abstract readonly revocationLog: RevocationLog | undefined;
  abstract readonly maxStalenessMs: number;
  abstract readonly whenStale: WhenStale;
  abstract readonly maxEntries: number;
  abstract readonly timeoutMs: number;
  abstract readonly rejectUnauthorized: boolean;
}
