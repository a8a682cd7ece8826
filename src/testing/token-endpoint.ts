import { invalidRequest, jsonAnswer, Refusal, type Answer } from './answer.js';
import { authenticatedClient, type Client } from './client-authentication.js';
import {
  rejectRepeated,
  requiredField,
  type EndpointRequest,
  type Responder,
} from './endpoint-request.js';
import { TokenIssuer, type TokenSet } from './token-issuer.js';
import type { IssuedToken } from './token-store.js';
import type { UserPool } from './user-pool.js';

type GrantResponder = (request: EndpointRequest, pool: UserPool, client: Client) => Answer;

/** RFC 6749 §3.2: machine tokens for key pairs, renewal, and (for tests) any user by name. */
export const token: Responder = (request, pool) => {
  const client = authenticatedClient(request, pool, 'token');
  rejectRepeated(request.form, ['grant_type', 'scope', 'refresh_token', 'username', 'password']);
  const grantType = requiredField(request.form, 'grant_type');
  const respond = GRANTS.get(grantType);
  if (!respond) {
    throw new Refusal(400, 'unsupported_grant_type', 'unsupported grant_type requested');
  }
  const forMachines = grantType === 'client_credentials';
  if (forMachines !== (client.account !== undefined)) {
    const description = 'requested grant type is not allowed for this client';
    throw new Refusal(400, 'unauthorized_client', description);
  }
  return respond(request, pool, client);
};

const clientCredentials: GrantResponder = ({ form }, pool, { account, application }) => {
  if (!account) throw invalidRequest('a programmatic account is required');
  const asked = (form.get('scope') || account.scope || '').split(' ').filter(Boolean);
  const allowed = account.scope === undefined ? asked : account.scope.split(' ');
  const scope = asked.filter((item) => allowed.includes(item)).join(' ');
  const rejected = asked.filter((item) => !allowed.includes(item)).join(' ');
  const { accessKey, lifetime = 3600 } = account;
  const { appId } = application;
  return jsonAnswer({
    access_token: new TokenIssuer(pool).machine({ accessKey, appId, scope, lifetime }),
    expires_in: lifetime,
    token_type: 'Bearer',
    scope,
    ...(rejected && { rejected_scope: rejected }),
  });
};

const refresh: GrantResponder = ({ form, protocol }, pool, { application }) => {
  const text = requiredField(form, 'refresh_token');
  const found = pool.tokens.find(text);
  const { grant } = found ?? {};
  if (found?.kind !== 'refresh' || grant?.appId !== application.appId) throw invalidGrant();
  if (grant.protocol !== protocol) throw invalidGrant();
  // RFC 9700 §4.14.2: a refresh token that comes back after rotation is in two hands.
  if (found.consumed) grant.ended = true;
  if (!pool.tokens.isLive(found, pool.now())) throw invalidGrant();
  if (grant.sub !== undefined) rejectShutOut(grant.sub, pool);
  return jsonAnswer(renewed(found, text, pool));
};

const password: GrantResponder = ({ form, protocol }, pool, { application }) => {
  const sub = requiredField(form, 'username');
  rejectShutOut(sub, pool);
  const scope = form.get('scope') || 'openid';
  const items = scope.split(' ');
  const offline = items.includes('offline_access');
  const who = { sub, scope, offline, appId: application.appId };
  const issuer = new TokenIssuer(pool);
  if (protocol === 'oauth') return jsonAnswer(issuer.opaque(who));
  const { id_token: idToken, ...tokens } = issuer.signIn(who);
  return jsonAnswer({ ...tokens, ...(items.includes('openid') && { id_token: idToken }) });
};

const GRANTS: ReadonlyMap<string, GrantResponder> = new Map([
  ['client_credentials', clientCredentials],
  ['refresh_token', refresh],
  ['password', password],
]);

function renewed(used: IssuedToken, text: string, pool: UserPool): TokenSet {
  const { refreshRotation } = pool.switches;
  used.consumed = refreshRotation;
  const tokens = new TokenIssuer(pool).renew(used.grant, refreshRotation);
  return refreshRotation ? tokens : { ...tokens, refresh_token: text };
}

function rejectShutOut(sub: string, pool: UserPool): void {
  if (pool.user(sub).status !== 'Activated') throw invalidGrant();
}

function invalidGrant(): Refusal {
  return new Refusal(400, 'invalid_grant', 'grant request is invalid');
}
