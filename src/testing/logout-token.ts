import type { FakeApplication } from './application.js';
import { buildToken, urlSafe, type TokenOptions } from './token-builder.js';

const LIFETIME = 120;
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** How a logout token departs from a good one; everything left out is as an OpenID provider does it. */
export type LogoutTokenOptions = Omit<TokenOptions, 'register'>;

/** What a receiver answered. */
export interface Delivery {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4); claims add, replace, or (undefined) leave out. */
export function buildLogoutToken(
  application: FakeApplication,
  now: number,
  claims: Readonly<Record<string, unknown>>,
  options: LogoutTokenOptions = {},
): string {
  const iat = Math.floor(now / 1000);
  const all = {
    iss: application.issuer,
    aud: application.appId,
    iat,
    exp: iat + LIFETIME,
    jti: urlSafe(21),
    events: { [EVENT]: {} },
    ...claims,
  };
  const header = { typ: 'logout+jwt', ...options.header };
  return buildToken(application, all, { ...options, header }).token;
}

/** Posts a form with the token, as §2.5 wants it, and takes whatever answer comes. */
export async function postLogoutToken(url: string, token: string): Promise<Delivery> {
  return delivery(url, new URLSearchParams({ logout_token: token }));
}

/** Posts without following redirects, and reads the answer to its end. */
export async function delivery(
  url: string,
  body: URLSearchParams | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Delivery> {
  const response = await fetch(url, { method: 'POST', body, headers, redirect: 'manual' });
  return { status: response.status, headers: response.headers, body: await response.text() };
}
