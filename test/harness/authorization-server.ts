import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { exportJWK, generateKeyPair } from 'jose';
import type { Provider } from 'oidc-provider';

import type { GenAuthApplicationOptions } from '../../src/index.js';

/** The API that is guarded: the server's tokens for it are JWTs. Tokens for no API in particular are opaque. */
export const RESOURCE = 'https://books.example';
/** Another API of the same server: its tokens are none of ours. */
export const OTHER_RESOURCE = 'https://accounts.example';

/** Where browsers are sent back to. */
export const CALLBACK = 'https://app.example/callback';

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The backend's client. Whoever puts its id and secret into a header or a form as they are is refused. */
export const BACKEND: Credentials = {
  clientId: 'books:backend',
  clientSecret: 'a+b/c=d%20&e:f g~h',
};
/** Another client of the same server. */
export const STRANGER: Credentials = { clientId: 'stranger', clientSecret: 'stranger-secret' };

export interface SignIn {
  readonly sub: string;
  /** @default the backend's */
  readonly clientId?: string;
  /** The API the access token is for: it is then a JWT. Opaque when left out. */
  readonly resource?: string;
  /** What the access token says in `iat`, epoch milliseconds. @default now */
  readonly issuedAt?: number;
}

export interface SignedInTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** An authorization server that is not ours, on a free port. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** The path of every request so far. */
  readonly requests: readonly string[];
  /** The settings under which the library speaks to it. */
  options(): GenAuthApplicationOptions;
  /** A sign-in with offline access: both tokens are of one grant. */
  signIn(options: SignIn): Promise<SignedInTokens>;
  /** A machine's access token, by the client credentials grant. */
  machineToken(form?: Record<string, string>): Promise<string>;
  /** Where the backend's client wants to be told of logouts; nowhere by default. */
  logoutUri: string | undefined;
  /** The server's own word on an opaque token, asked for by the other client. */
  isActive(token: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Starts `oidc-provider` with opaque tokens, and JWTs for the two APIs. */
export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  const requests: string[] = [];
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = await startProvider(issuer, (init) => {
    if (!running.logoutUri) throw new Error('nobody wants to be told of logouts');
    return fetch(running.logoutUri, init);
  });
  const callback = provider.callback();
  server.on('request', (request, response) => {
    requests.push(request.url ?? '');
    if (request.url?.startsWith('/interaction/')) void agreed(provider, request, response);
    else callback(request, response);
  });

  async function post(path: string, client: Credentials, form: Record<string, string>) {
    const { clientId: client_id, clientSecret: client_secret } = client;
    const body = new URLSearchParams({ client_id, client_secret, ...form });
    const response = await fetch(issuer + path, { method: 'POST', body });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }

  const running: AuthorizationServer = {
    issuer,
    requests,
    logoutUri: undefined,
    options: () => ({
      appId: BACKEND.clientId,
      appSecret: BACKEND.clientSecret,
      appHost: issuer,
      issuer,
      audience: [RESOURCE, BACKEND.clientId],
      jwksUri: `${issuer}/jwks`,
      introspectionEndpoint: `${issuer}/token/introspection`,
      revocationEndpoint: `${issuer}/token/revocation`,
    }),
    async signIn({ sub, clientId = BACKEND.clientId, resource, issuedAt = Date.now() }) {
      const client = await provider.Client.find(clientId);
      if (!client) throw new Error(`no client ${clientId}`);
      const scope = 'openid offline_access';
      const grant = new provider.Grant({ accountId: sub, clientId });
      grant.addOIDCScope(scope);
      const grantId = await grant.save();
      const fields = { accountId: sub, client, grantId, gty: 'authorization_code' };
      const access = new provider.AccessToken({
        ...fields,
        scope: resource ? 'book:read' : scope,
        iat: Math.floor(issuedAt / 1_000),
        ...(resource && { resourceServer: new provider.ResourceServer(resource, JWT_FORMAT) }),
      });
      const refresh = new provider.RefreshToken({ ...fields, scope });
      return { accessToken: await access.save(), refreshToken: await refresh.save() };
    },
    async machineToken(form = {}) {
      const answer = await post('/token', BACKEND, { grant_type: 'client_credentials', ...form });
      return String(answer['access_token']);
    },
    async isActive(token) {
      return (await post('/token/introspection', STRANGER, { token }))['active'] === true;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return running;
}

/** The user whom the request names signs in, and agrees to everything. */
async function agreed(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const { login_hint: accountId = '', client_id: clientId = '', scope = '', resource } = params;
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scope);
  if (resource) grant.addResourceScope(resource, 'book:read');
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

const JWT_FORMAT = {
  scope: 'book:read book:write',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 3_600,
  jwt: { sign: { alg: 'RS256' } },
};

/** Tokens that were got with a code name the session that it came of. */
function sessionClaim(context?: {
  readonly oidc: { readonly entities: { readonly AuthorizationCode?: { readonly sid?: string } } };
}): object {
  const { sid } = context?.oidc.entities.AuthorizationCode ?? {};
  return sid === undefined ? {} : { sid };
}

async function startProvider(
  issuer: string,
  tellOfLogout: (init: RequestInit) => Promise<Response>,
): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const client = ({ clientId, clientSecret }: Credentials) => ({
    client_id: clientId,
    client_secret: clientSecret,
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    redirect_uris: [CALLBACK],
    ...(clientId === BACKEND.clientId && {
      backchannel_logout_uri: 'https://app.example/backchannel-logout',
      backchannel_logout_session_required: true,
    }),
  });
  return quietly(async () => {
    const { errors, Provider } = await import('oidc-provider');
    // What the server does by default, without its advice to think about it.
    const ofOwner = (_: unknown, asking: { clientId: string }, token: { clientId: string }) => {
      if (token.clientId === asking.clientId) return true;
      throw new errors.InvalidRequest('client is not authorized to revoke the presented token');
    };
    return new Provider(issuer, {
      clients: [BACKEND, STRANGER].map(client),
      jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }] },
      cookies: { keys: ['only-for-tests'] },
      scopes: ['openid', 'offline_access'],
      ttl: {
        AccessToken: 3_600,
        ClientCredentials: 600,
        Grant: 86_400,
        IdToken: 3_600,
        Interaction: 600,
        RefreshToken: 86_400,
        Session: 86_400,
      },
      extraTokenClaims: sessionClaim,
      findAccount: (_: unknown, accountId: string) => ({
        accountId,
        claims: () => ({ sub: accountId }),
      }),
      // Without the server's own agent, which will not speak to this machine.
      fetch: (_: string, { method, headers, body }: RequestInit) =>
        tellOfLogout({ method: method!, headers: headers!, body: body! }),
      features: {
        backchannelLogout: { enabled: true },
        devInteractions: { enabled: false },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (context: { body: unknown }, form: string) => void (context.body = form),
        },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true, allowedPolicy: ofOwner },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => JWT_FORMAT,
        },
      },
    });
  });
}

/** The server prints advice for production: which Node to run, and not to keep tokens in memory. */
export async function quietly<T>(begin: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  Object.assign(console, { warn: () => undefined, info: () => undefined });
  try {
    return await begin();
  } finally {
    Object.assign(console, { warn, info });
  }
}
