import type { Protocol } from './application.js';
import type { Responder } from './endpoint-request.js';
import { discovery, jwks, publicConfig, unrecognized } from './public-endpoints.js';
import type { Endpoint } from './request-log.js';
import { token } from './token-endpoint.js';
import { introspection, revocation } from './token-state-endpoints.js';
import { endSession, userinfo, validateToken } from './user-endpoints.js';

/** Where a request leads. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly protocol: Protocol;
  readonly respond: Responder;
}

interface Row {
  readonly endpoint: Endpoint;
  readonly methods: readonly string[];
  readonly respond: Responder;
}

const GET = ['GET'];
const POST = ['POST'];
const BOTH = ['GET', 'POST'];

const OIDC_ROUTES: ReadonlyMap<string, Row> = new Map([
  [
    '/.well-known/openid-configuration',
    { endpoint: 'discovery', methods: GET, respond: discovery },
  ],
  ['/.well-known/jwks.json', { endpoint: 'jwks', methods: GET, respond: jwks }],
  ['/session/end', { endpoint: 'endSession', methods: BOTH, respond: endSession }],
]);

const TWIN_ROUTES: ReadonlyMap<string, Row> = new Map([
  ['/token', { endpoint: 'token', methods: POST, respond: token }],
  ['/token/introspection', { endpoint: 'introspection', methods: POST, respond: introspection }],
  ['/token/revocation', { endpoint: 'revocation', methods: POST, respond: revocation }],
  ['/me', { endpoint: 'userinfo', methods: BOTH, respond: userinfo }],
]);

const API_ROUTES: readonly (Row & { readonly path: RegExp })[] = [
  {
    path: /^\/api\/(v2\/)?oidc\/validate_token$/,
    endpoint: 'validateToken',
    methods: GET,
    respond: validateToken,
  },
  {
    path: /^\/api\/v2\/applications\/[^/]+\/public-config$/,
    endpoint: 'publicConfig',
    methods: GET,
    respond: publicConfig,
  },
];

/** The route of a path without its prefix; a wrong method keeps the endpoint's name and is answered 404. */
export function routeOf(method: string, path: string): Route {
  const [, protocol = '', rest = ''] = /^\/(oidc|oauth)(\/.*)$/.exec(path) ?? [];
  const spoken: Protocol = protocol === 'oauth' ? 'oauth' : 'oidc';
  const row = rowOf(protocol, rest, path);
  if (!row) return { endpoint: 'unknown', protocol: spoken, respond: notFound };
  const respond = row.methods.includes(method) ? row.respond : notFound;
  return { endpoint: row.endpoint, protocol: spoken, respond };
}

function rowOf(protocol: string, rest: string, path: string): Row | undefined {
  if (!protocol) return API_ROUTES.find((row) => row.path.test(path));
  return TWIN_ROUTES.get(rest) ?? (protocol === 'oidc' ? OIDC_ROUTES.get(rest) : undefined);
}

function notFound({ method, path }: { method: string; path: string }): never {
  throw unrecognized(method, path);
}
