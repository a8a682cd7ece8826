import { invalidRequest, jsonAnswer, Refusal, type Answer } from './answer.js';
import type { FakeApplication } from './application.js';
import { authenticatedClient, type Client } from './client-authentication.js';
import { decoded } from './compact-token.js';
import { rejectRepeated, requiredField, type Responder } from './endpoint-request.js';
import type { IssuedToken } from './token-store.js';
import type { UserPool } from './user-pool.js';

const FIELDS = ['token', 'token_type_hint', 'strict'];

/** RFC 7662, in the engine's form: whatever is not known to be good is inactive, and nothing more is said. */
export const introspection: Responder = (request, pool) => {
  const client = authenticatedClient(request, pool, 'introspection');
  rejectRepeated(request.form, FIELDS);
  const text = requiredField(request.form, 'token');
  const { jwtIntrospection } = pool.switches;
  if (jwtIntrospection !== 'introspect' && decoded(text)) {
    if (jwtIntrospection === 'inactive') return jsonAnswer({ active: false });
    throw structuredTokenRefusal('introspected', 'introspection');
  }
  const token = pool.tokens.find(text);
  const strict = isStrict(request.form);
  const visible =
    token?.grant.protocol === request.protocol &&
    isGood(token, pool, strict) &&
    mayLearnOf(token, client, pool);
  return jsonAnswer(visible ? description(token, pool) : { active: false });
};

/** RFC 7009, in the engine's form: what cannot be revoked any more is a success. */
export const revocation: Responder = (request, pool) => {
  const client = authenticatedClient(request, pool, 'revocation');
  rejectRepeated(request.form, FIELDS);
  const text = requiredField(request.form, 'token');
  const { jwtRevocation, revocationBody } = pool.switches;
  const isJwt = decoded(text) !== undefined;
  if (isJwt && jwtRevocation === 'unsupported_token_type') {
    throw structuredTokenRefusal('revoked', 'revocation');
  }
  const token = pool.tokens.find(text);
  const spared = isJwt && jwtRevocation === 'no-op';
  if (token && !spared && token.kind !== 'id' && token.grant.protocol === request.protocol) {
    revoke(token, client.application, pool);
  }
  return REVOCATION_ANSWERS[revocationBody];
};

const EMPTY: Answer = {
  status: 200,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body: '',
};

const REVOCATION_ANSWERS = {
  empty: EMPTY,
  true: jsonAnswer(true),
  json: jsonAnswer({ statusCode: 200, message: 'success' }),
};

function revoke(token: IssuedToken, application: FakeApplication, pool: UserPool): void {
  if (token.grant.appId !== application.appId) {
    throw invalidRequest('this token does not belong to you');
  }
  token.revoked = true;
  const { accessTokenRevocationEndsGrant } = pool.switches;
  if (token.kind === 'refresh' || accessTokenRevocationEndsGrant) token.grant.ended = true;
}

function description(token: IssuedToken, pool: UserPool): Record<string, unknown> {
  const { sub, exp, iat, iss, jti, scope } = token.payload;
  const named = token.kind !== 'refresh' && pool.switches.introspectionTokenType;
  return {
    active: true,
    ...(sub !== undefined && { sub }),
    client_id: token.grant.appId,
    exp,
    iat,
    iss,
    jti,
    scope,
    ...(named && { token_type: 'Bearer' }),
  };
}

function isGood(token: IssuedToken, pool: UserPool, strict: boolean): boolean {
  if (token.kind === 'id' || !pool.tokens.isLive(token, pool.now())) return false;
  return !(strict && isShutOut(token, pool));
}

function mayLearnOf(token: IssuedToken, client: Client, pool: UserPool): boolean {
  if (token.grant.appId === client.application.appId) return true;
  return client.method !== 'none' && pool.switches.introspectForeignTokens;
}

// The encoding of `strict` is not documented, so whatever does not plainly say no is a yes.
function isStrict(form: URLSearchParams): boolean {
  const strict = form.get('strict');
  return strict !== null && !['', 'false', '0'].includes(strict);
}

function isShutOut({ payload }: IssuedToken, pool: UserPool): boolean {
  const { sub } = payload;
  return typeof sub === 'string' && pool.user(sub).status !== 'Activated';
}

function structuredTokenRefusal(participle: string, endpoint: string): Refusal {
  const description = `Structured JWT Tokens cannot be ${participle} via the ${endpoint}_endpoint`;
  return new Refusal(400, 'unsupported_token_type', description);
}
