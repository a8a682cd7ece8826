import { htmlAnswer, invalidRequest, jsonAnswer, Refusal } from './answer.js';
import { decoded } from './compact-token.js';
import type { EndpointRequest, Responder } from './endpoint-request.js';
import type { IssuedToken } from './token-store.js';

/** OpenID Connect Core §5.3: who a user's access token speaks for. */
export const userinfo: Responder = (request, pool) => {
  const text = presentedToken(request);
  if (!text) throw invalidRequest('no access token provided');
  const token = pool.tokens.find(text);
  const good =
    token?.kind === 'access' &&
    token.grant.protocol === request.protocol &&
    pool.tokens.isLive(token, pool.now());
  const sub = good ? token.payload['sub'] : undefined;
  if (typeof sub !== 'string') throw invalidToken(request);
  return jsonAnswer({ sub, ...pool.user(sub).profile });
};

/** The end of a browser session; it takes with it the grant of the ID token, unless that is offline. */
export const endSession: Responder = ({ query, form, method }, pool) => {
  const fields = method === 'POST' ? form : query;
  const hint = fields.get('id_token_hint');
  const target = fields.get('post_logout_redirect_uri');
  if (hint !== null && !decoded(hint)) throw invalidRequest('could not decode id_token_hint');
  if (target !== null && hint === null) {
    throw invalidRequest(
      'post_logout_redirect_uri can only be used in combination with id_token_hint or client_id',
    );
  }
  if (hint !== null) endOnlineGrant(pool.tokens.find(hint));
  if (target === null) return htmlAnswer(200, 'Sign-out success');
  return { status: 302, headers: { Location: withState(target, fields.get('state')) }, body: '' };
};

/** GenAuth's own check of access and ID tokens: the payload, or a refusal in the form of its v2 surface. */
export const validateToken: Responder = ({ query, application }, pool) => {
  const name = query.has('access_token') ? 'access_token' : 'id_token';
  const text = query.get(name) ?? '';
  const token = pool.tokens.find(text);
  const kinds = name === 'id_token' ? ['id'] : ['access', 'machine'];
  const known = token?.grant.appId === application.appId && kinds.includes(token.kind);
  if (known && pool.tokens.isLive(token, pool.now())) return jsonAnswer(token.payload);
  const refusal = { code: 400, message: `${name} is invalid` };
  return jsonAnswer(refusal, pool.switches.validateTokenFailureStatus);
};

function endOnlineGrant(token: IssuedToken | undefined): void {
  if (token?.kind === 'id' && !token.grant.offline) token.grant.ended = true;
}

function presentedToken({ headers, query, form }: EndpointRequest): string | null {
  const [, bearer] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return bearer ?? form.get('access_token') ?? query.get('access_token');
}

function invalidToken({ application, protocol }: EndpointRequest): Refusal {
  const description = 'invalid token provided';
  const challenge = `Bearer realm="${application.issuerOf(protocol)}", error="invalid_token", error_description="${description}"`;
  return new Refusal(401, 'invalid_token', description, { 'WWW-Authenticate': challenge });
}

function withState(target: string, state: string | null): string {
  if (state === null) return target;
  return `${target}${target.includes('?') ? '&' : '?'}state=${encodeURIComponent(state)}`;
}
