import { jsonAnswer, Refusal } from './answer.js';
import type { FakeApplication } from './application.js';
import type { Responder } from './endpoint-request.js';

const METHODS = ['client_secret_post', 'client_secret_basic', 'none'];

/** OpenID Connect Discovery §4, with the members that GenAuth's SDK models. */
export const discovery: Responder = ({ application }) => {
  const base = `${application.appHost}/oidc`;
  return jsonAnswer({
    issuer: application.issuer,
    authorization_endpoint: `${base}/auth`,
    token_endpoint: `${base}/token`,
    userinfo_endpoint: `${base}/me`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    end_session_endpoint: `${base}/session/end`,
    introspection_endpoint: `${base}/token/introspection`,
    revocation_endpoint: `${base}/token/revocation`,
    token_endpoint_auth_methods_supported: METHODS,
    introspection_endpoint_auth_methods_supported: METHODS,
    revocation_endpoint_auth_methods_supported: METHODS,
    ...supported(application),
  });
};

/** The key set of the application whose address was called. */
export const jwks: Responder = ({ application }) => jsonAnswer(application.keys.jwks());

/** What GenAuth tells anybody about an application. */
export const publicConfig: Responder = ({ application, path, method, clients }, pool) => {
  const appId = path.split('/').at(-2);
  const named = clients.find((each) => each.appId === appId);
  if (!named) throw unrecognized(method, path);
  const config = {
    id_token_signed_response_alg: named.idTokenAlg ?? pool.switches.idTokenAlg,
    token_endpoint_auth_method: named.authMethods.token,
    introspection_endpoint_auth_method: named.authMethods.introspection,
    revocation_endpoint_auth_method: named.authMethods.revocation,
    access_token_expire: 1_209_600,
    id_token_expire: 1_209_600,
    refresh_token_expire: 2_592_000,
  };
  const { appHost } = application;
  const data = { id: named.appId, domain: appHost, oidcConfig: config, oauthConfig: config };
  return jsonAnswer({ code: 200, message: 'success', data });
};

/** The engine's answer to an address or a method that it does not have. */
export function unrecognized(method: string, path: string): Refusal {
  const description = `unrecognized route or not allowed method (${method} on ${path})`;
  return new Refusal(404, 'invalid_request', description);
}

function supported({ keys }: FakeApplication): Record<string, unknown> {
  const signing = [...new Set(['HS256', ...keys.all.map((key) => key.alg)])];
  return {
    scopes_supported: ['openid', 'profile', 'email', 'phone', 'address', 'offline_access'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'none'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    grant_types_supported: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'password',
      'implicit',
    ],
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'jti', 'nonce', 'at_hash'],
    claim_types_supported: ['normal'],
    code_challenge_methods_supported: ['plain', 'S256'],
    id_token_signing_alg_values_supported: signing,
    userinfo_signing_alg_values_supported: ['none'],
  };
}
