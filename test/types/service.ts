import type { Observable } from 'rxjs';
import {
  type Freshness,
  type JsonObject,
  type Principal,
  type RevocationEvent,
  type RevocationReceipt,
  type RevokeOptions,
  Scopes,
  TokenError,
  type TokenRefusal,
  TokenService,
} from 'nestjs-genauth';

import { type Equals, holds } from './equals.js';

declare const tokens: TokenService;
declare const who: Principal;

// A principal is read, never written.
holds<Equals<Principal, Readonly<Principal>>>();
holds<Equals<Principal['sub'], string | undefined>>();
holds<Equals<Principal['audience'], readonly string[]>>();
holds<Equals<Principal['scopes'], readonly string[]>>();
holds<Equals<Principal['expiresAt'], number>>();
holds<Equals<Principal['claims'], JsonObject>>();
// @ts-expect-error a handler cannot make itself somebody else
who.sub = 'root';
// @ts-expect-error nor give itself a scope
who.scopes.push('admin');
// @ts-expect-error nor change a claim
who.claims['role'] = 'admin';
// @ts-expect-error a claim is whatever the issuer wrote, until somebody looks
who.claims['role'].toUpperCase();
// @ts-expect-error a principal never holds its token
void who.token;

// Revoking.
void tokens.revoke('token');
void tokens.revoke('token', {});
void tokens.revoke('token', {
  tokenTypeHint: 'refresh_token',
  cascade: false,
  reason: 'signed out',
  whenUnreachable: 'queue',
  appId: 'one',
} satisfies RevokeOptions);
// @ts-expect-error an ID token is not revoked
void tokens.revoke('token', { tokenTypeHint: 'id_token' });
// @ts-expect-error there is nothing to be ignored
void tokens.revoke('token', { whenUnreachable: 'ignore' });
// @ts-expect-error a slip of the pen
void tokens.revoke('token', { cascades: false });
// @ts-expect-error a principal has no token to revoke
void tokens.revoke(who);
// @ts-expect-error an instant is a Date, so that seconds and milliseconds are not confused
void tokens.revokeSubject('alice', { issuedBefore: 1_700_000_000 });
holds<
  Equals<keyof RevokeOptions, 'tokenTypeHint' | 'cascade' | 'reason' | 'whenUnreachable' | 'appId'>
>();
holds<Equals<RevokeOptions, Readonly<RevokeOptions>>>();
holds<Equals<ReturnType<TokenService['revoke']>, Promise<RevocationReceipt>>>();
holds<Equals<ReturnType<TokenService['revokeSubject']>, Promise<RevocationReceipt>>>();
holds<Equals<RevocationReceipt, Readonly<RevocationReceipt>>>();

// Asking.
holds<Equals<ReturnType<TokenService['verify']>, Promise<Principal>>>();
holds<Equals<ReturnType<TokenService['check']>, void>>();
holds<Equals<ReturnType<TokenService['freshness']>, Freshness>>();
holds<Equals<TokenService['revocations$'], Observable<RevocationEvent>>>();
// @ts-expect-error only the library says what is revoked
tokens.revocations$.next({});

// Refusals are told apart by a literal.
export function isRevoked(error: unknown): boolean {
  if (!(error instanceof TokenError)) return false;
  holds<Equals<typeof error.code, 'invalid_token'>>();
  holds<Equals<typeof error.reason, TokenRefusal>>();
  // @ts-expect-error no such reason
  if (error.reason === 'blacklisted') return false;
  return error.reason === 'revoked';
}

export class Routes {
  @Scopes('book:read', 'book:write')
  several() {}

  // @ts-expect-error scopes are strings
  @Scopes(1)
  wrong() {}
}
