import { randomBytes } from 'node:crypto';
import { SigningKeys, type SigningAlgorithm } from './signing-keys.js';

/** Which of GenAuth's two providers is spoken to: `/oidc/…` with JWTs or `/oauth/…` with opaque tokens. */
export type Protocol = 'oidc' | 'oauth';

/** How a client proves itself at one endpoint; GenAuth's own names. */
export type ClientAuthMethod = 'client_secret_post' | 'client_secret_basic' | 'none';

/** The method that each of an application's endpoints expects; every one is set on its own. */
export interface EndpointAuthMethods {
  token: ClientAuthMethod;
  introspection: ClientAuthMethod;
  revocation: ClientAuthMethod;
}

/** What a test may fix about an application; everything left out is made up. */
export interface FakeApplicationOptions {
  /** @default 24 random hex digits */
  appId?: string;
  /** @default 32 random hex digits */
  appSecret?: string;
  /** @default 'oidc' */
  protocol?: Protocol;
  /** The algorithm of the first signing key. @default 'RS256' */
  alg?: SigningAlgorithm;
  /** How ID tokens are signed; follows `switches.idTokenAlg` when left out. */
  idTokenAlg?: 'RS256' | 'HS256';
  /** @default 'client_secret_post' for each */
  authMethods?: Partial<EndpointAuthMethods>;
  /** What tokens say in `iss`, where it is not `{appHost}/oidc`. */
  issuer?: string;
}

/** A programmatic account: the key pair with which a machine asks for tokens of an application. */
export interface FakeAccount {
  readonly accessKey: string;
  readonly secretKey: string;
  /** The application whose tokens it gets; they name it in `azp`. */
  readonly appId: string;
  /** The space-separated scope items it may have; everything when left out. */
  readonly scope?: string;
  /** How long its tokens live, in seconds. @default 3600 */
  readonly lifetime?: number;
}

/** An application's settings under the option names of the library. */
export interface FakeApplicationSettings {
  appId: string;
  appSecret: string;
  appHost: string;
  protocol?: Protocol;
  issuer?: string;
  introspectionEndPointAuthMethod?: ClientAuthMethod;
  revocationEndPointAuthMethod?: ClientAuthMethod;
}

/** One application of the stand-in: an authorization server with an address, an issuer and keys of its own. */
export class FakeApplication {
  readonly appId: string;
  readonly appSecret: string;
  readonly appHost: string;
  readonly protocol: Protocol;
  /** What its OIDC tokens say in `iss`. */
  readonly issuer: string;
  /** What introspection of its OAuth tokens says in `iss`. */
  readonly oauthIssuer: string;
  readonly keys: SigningKeys;
  /** May be changed at any time; the next request is held against it. */
  readonly authMethods: EndpointAuthMethods;
  /** How ID tokens are signed; follows `switches.idTokenAlg` while undefined. */
  idTokenAlg: 'RS256' | 'HS256' | undefined;

  /** Made by `FakeGenAuth.start()`, which knows the address. */
  constructor(options: FakeApplicationOptions & { appId: string; appHost: string }) {
    this.appId = options.appId;
    this.appSecret = options.appSecret ?? hexId(32);
    this.appHost = options.appHost;
    this.protocol = options.protocol ?? 'oidc';
    this.issuer = options.issuer ?? `${options.appHost}/oidc`;
    this.oauthIssuer = `${options.appHost}/oauth`;
    this.keys = new SigningKeys(options.alg);
    this.idTokenAlg = options.idTokenAlg;
    this.authMethods = {
      token: 'client_secret_post',
      introspection: 'client_secret_post',
      revocation: 'client_secret_post',
      ...options.authMethods,
    };
  }

  /** The issuer of this application's tokens in the protocol. */
  issuerOf(protocol: Protocol): string {
    return protocol === 'oauth' ? this.oauthIssuer : this.issuer;
  }

  /** Settings to spread into the library's options; what equals the library's default is left out. */
  options(): FakeApplicationSettings {
    const { introspection, revocation } = this.authMethods;
    const issuer = this.issuerOf(this.protocol);
    return {
      appId: this.appId,
      appSecret: this.appSecret,
      appHost: this.appHost,
      ...(this.protocol === 'oauth' && { protocol: this.protocol }),
      ...(issuer !== `${this.appHost}/oidc` && { issuer }),
      ...(introspection !== 'client_secret_post' && {
        introspectionEndPointAuthMethod: introspection,
      }),
      ...(revocation !== 'client_secret_post' && { revocationEndPointAuthMethod: revocation }),
    };
  }
}

/** Random hex digits, the form of GenAuth's ids and secrets. */
export function hexId(digits: number): string {
  return randomBytes(digits / 2).toString('hex');
}
