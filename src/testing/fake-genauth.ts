import type { KeyObject } from 'node:crypto';
import type { FakeAccount, FakeApplication } from './application.js';
import { malleated, respelled } from './compact-token.js';
import type { Fault } from './faults.js';
import type { Hold } from './holds.js';
import {
  buildLogoutToken,
  postLogoutToken,
  type Delivery,
  type LogoutTokenOptions,
} from './logout-token.js';
import type { Endpoint, RequestLog } from './request-log.js';
import type { SigningAlgorithm } from './signing-keys.js';
import { startUp, type FakeGenAuthOptions, type RunningParts } from './start-up.js';
import type { Switches } from './switches.js';
import { foreignKey, type TokenOptions } from './token-builder.js';
import {
  TokenIssuer,
  type MachineTokenOptions,
  type SignedIn,
  type SignInOptions,
  type TokenSet,
  type WithRefreshToken,
} from './token-issuer.js';
import { postWebhook, type WebhookOptions } from './webhook.js';
import type { UserPool, UserStatus } from './user-pool.js';

/**
 * A GenAuth of your own for tests: real HTTP on free loopback ports, in this process.
 *
 * It issues tokens, publishes keys, answers introspection, revocation and the other endpoints as GenAuth
 * does, remembers every request, and fails on demand. Nothing leaves the machine.
 *
 * @example
 * const genauth = await FakeGenAuth.start();
 * const { access_token } = genauth.signIn({ scope: 'openid book:read' });
 * // GenAuthModule.forRoot({ ...genauth.application.options() })
 * await genauth.stop();
 */
export class FakeGenAuth {
  readonly #parts: RunningParts;
  readonly #issuer: TokenIssuer;

  private constructor(parts: RunningParts) {
    this.#parts = parts;
    this.#issuer = new TokenIssuer(parts.pool);
  }

  /** Starts a stand-in, which listens once the promise resolves. */
  static async start(options: FakeGenAuthOptions = {}): Promise<FakeGenAuth> {
    return new FakeGenAuth(await startUp(options));
  }

  /** Where the first application listens: `http://127.0.0.1:PORT`, without a path prefix. */
  get host(): string {
    return new URL(this.application.appHost).origin;
  }

  /** The first application. */
  get application(): FakeApplication {
    return this.#pool.application();
  }

  /** Every application, in the order given. */
  get applications(): readonly FakeApplication[] {
    return this.#pool.applications;
  }

  /** The programmatic accounts, in the order given. */
  get accounts(): readonly FakeAccount[] {
    return this.#pool.accounts;
  }

  /** Every request that arrived. */
  get requests(): RequestLog {
    return this.#parts.door.requests;
  }

  /** How the server behaves; change a member and the next request sees it. */
  get switches(): Switches {
    return this.#pool.switches;
  }

  /** The server's time, in epoch milliseconds. */
  now(): number {
    return this.#pool.now();
  }

  /** Signs a user in with the OIDC protocol; the server knows the tokens, which share one grant. */
  signIn(options?: SignInOptions & { offline?: true }): SignedIn & WithRefreshToken;
  signIn(options: SignInOptions): SignedIn;
  signIn(options?: SignInOptions): SignedIn {
    return this.#issuer.signIn(options);
  }

  /** Signs a user in with the OAuth protocol: opaque tokens, which only introspection can read. */
  opaqueToken(options?: SignInOptions & { offline?: true }): TokenSet & WithRefreshToken;
  opaqueToken(options: SignInOptions): TokenSet;
  opaqueToken(options?: SignInOptions): TokenSet {
    return this.#issuer.opaque(options);
  }

  /** An access token for a machine: `aud` is its access key, `azp` the application, and there is no `sub`. */
  machineToken(options?: MachineTokenOptions): string {
    return this.#issuer.machine(options);
  }

  /**
   * Any token, good or bad. Without arguments it is a valid access token; claims add to it, replace, or
   * (set to `undefined`) leave out. The server does not know it unless `register` is set.
   */
  token(claims: Record<string, unknown> = {}, options?: TokenOptions): string {
    return this.#issuer.build(claims, options);
  }

  /**
   * Any logout token, good or bad. `claims` say whose logout it is: `sub`, `sid` or both. They add to the other
   * claims, replace, or (set to `undefined`) leave out.
   */
  logoutToken(claims: Record<string, unknown> = {}, options: LogoutTokenOptions = {}): string {
    return buildLogoutToken(this.#pool.application(options.appId), this.now(), claims, options);
  }

  /** Sends a logout token to your route, as an OpenID provider does when a session ends. */
  sendLogoutToken(
    url: string,
    claims: Record<string, unknown> = {},
    options: LogoutTokenOptions = {},
  ): Promise<Delivery> {
    return postLogoutToken(url, this.logoutToken(claims, options));
  }

  /**
   * Sends a webhook to your route, as GenAuth does: `{ eventName, data }`. Without a name (`null`) the data is the
   * body: GenAuth's `login` is a bare user, and its test `{ description }`.
   */
  sendWebhook(
    url: string,
    eventName: string | null,
    data: unknown,
    options: WebhookOptions = {},
  ): Promise<Delivery> {
    return postWebhook(url, eventName, data, options);
  }

  /** A private key that no application publishes, for forged tokens. */
  foreignKey(alg?: SigningAlgorithm): KeyObject {
    return foreignKey(alg);
  }

  /** The same token in another spelling: what was signed and the signature stay, byte for byte. */
  respell(token: string): string {
    return respelled(token);
  }

  /** The same signed characters under the other valid ES256 signature: `s` becomes `n - s`. */
  malleate(token: string): string {
    return malleated(token);
  }

  /** Whether the server has revoked the token, alone or with its grant; false for one it never issued. */
  revoked(token: string): boolean {
    const known = this.#pool.tokens.find(token);
    return known !== undefined && (known.revoked || known.grant.ended);
  }

  /**
   * Ends the token's grant at the server, as if someone else had: every token of that sign-in is dead.
   *
   * @throws {Error} the server never issued the token
   */
  revokeGrantOf(token: string): void {
    const known = this.#pool.tokens.find(token);
    if (!known) throw new Error('Only a token that this stand-in issued has a grant to revoke.');
    known.grant.ended = true;
  }

  /** Sets a user's state, which ends sign-ins and renewals and is seen by `strict` introspection. */
  setUser(sub: string, status: UserStatus, profile?: Record<string, unknown>): void {
    this.#pool.setUser(sub, { status, ...(profile && { profile }) });
  }

  /**
   * Makes requests to an endpoint (`*`: to any) fail: the next `times`, or all until `recover()`.
   *
   * Limited faults happen in the order given, before a standing one; a standing one replaces the last.
   */
  fault(endpoint: Endpoint | '*', fault: Fault, times?: number): void {
    this.#parts.door.faults.add(endpoint, fault, times);
  }

  /** Ends the faults set for one endpoint (`*`: those set for any), or without a name all faults. */
  recover(endpoint?: Endpoint | '*'): void {
    this.#parts.door.faults.recover(endpoint);
  }

  /** Keeps an endpoint's answers back until released; what they say is decided on arrival. */
  hold(endpoint: Endpoint | '*'): Hold {
    return this.#parts.door.holds.add(endpoint);
  }

  /** Cuts every connection and stops listening: for one application (with its port), or all. */
  async goDown(appId?: string): Promise<void> {
    await Promise.all(this.#listeners(appId).map((listener) => listener.close()));
  }

  /** Listens again, on the same ports. */
  async comeBack(appId?: string): Promise<void> {
    await Promise.all(this.#listeners(appId).map((listener) => listener.open()));
  }

  /** Ends every socket, timer and hold. */
  async stop(): Promise<void> {
    await this.goDown();
    this.#parts.door.holds.releaseAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #pool(): UserPool {
    return this.#parts.pool;
  }

  #listeners(appId?: string) {
    const { listeners } = this.#parts;
    const chosen = appId === undefined ? [...listeners.values()] : [listeners.get(appId)];
    return [...new Set(chosen)].filter((each) => each !== undefined);
  }
}
