import { invalidRequest, Refusal } from './answer.js';
import type { ClientAuthMethod, FakeAccount, FakeApplication } from './application.js';
import { rejectRepeated, type EndpointRequest } from './endpoint-request.js';
import type { UserPool } from './user-pool.js';

/** Who asks: an application, or a programmatic account of one. */
export interface Client {
  readonly application: FakeApplication;
  readonly account?: FakeAccount;
  /** The method by which it proved itself. */
  readonly method: ClientAuthMethod;
}

interface Credentials {
  readonly id: string;
  readonly secret: string | undefined;
  readonly method: ClientAuthMethod;
}

type AuthenticatedEndpoint = 'token' | 'introspection' | 'revocation';

/**
 * The client behind a request, proven by exactly one mechanism.
 *
 * Key pairs of programmatic accounts are known to the token endpoint alone.
 */
export function authenticatedClient(
  request: EndpointRequest,
  pool: UserPool,
  endpoint: AuthenticatedEndpoint,
): Client {
  rejectRepeated(request.form, ['client_id', 'client_secret']);
  const credentials = credentialsOf(request);
  const client =
    applicationClient(request, pool, endpoint, credentials) ??
    (endpoint === 'token' ? accountClient(request, pool, credentials) : undefined);
  if (!client) throw failed(request);
  return client;
}

function credentialsOf({ form, headers }: EndpointRequest): Credentials {
  const id = form.get('client_id') ?? undefined;
  const secret = form.get('client_secret') || undefined;
  const { authorization } = headers;
  if (authorization !== undefined && secret !== undefined) {
    throw invalidRequest('client authentication must only be provided using one mechanism');
  }
  if (authorization !== undefined) return basicCredentials(authorization, id);
  if (!id) throw invalidRequest('no client authentication mechanism provided');
  return { id, secret, method: secret === undefined ? 'none' : 'client_secret_post' };
}

function basicCredentials(authorization: string, formId: string | undefined): Credentials {
  const [scheme, encoded, ...rest] = authorization.split(' ');
  const text = Buffer.from(encoded ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  if (scheme?.toLowerCase() !== 'basic' || !encoded || rest.length > 0 || colon === -1) {
    throw invalidRequest('invalid authorization header value format');
  }
  const id = formDecoded(text.slice(0, colon));
  const secret = formDecoded(text.slice(colon + 1));
  if (!secret) throw invalidRequest('client_secret must be provided in the Authorization header');
  if (formId !== undefined && formId !== id) {
    throw invalidRequest('mismatch in body and authorization client ids');
  }
  return { id, secret, method: 'client_secret_basic' };
}

function applicationClient(
  request: EndpointRequest,
  pool: UserPool,
  endpoint: AuthenticatedEndpoint,
  { id, secret, method }: Credentials,
): Client | undefined {
  const application = request.clients.find((each) => each.appId === id);
  if (!application) return undefined;
  const expected = application.authMethods[endpoint];
  if (!methodFits(method, expected, pool.switches.strictAuthMethods)) return undefined;
  const proven = method === 'none' || secret === application.appSecret;
  return proven ? { application, method } : undefined;
}

function accountClient(
  request: EndpointRequest,
  pool: UserPool,
  { id, secret, method }: Credentials,
): Client | undefined {
  const account = pool.accounts.find((each) => each.accessKey === id);
  const application = request.clients.find((each) => each.appId === account?.appId);
  if (!account || !application || secret !== account.secretKey) return undefined;
  return { application, account, method };
}

function methodFits(given: ClientAuthMethod, expected: ClientAuthMethod, strict: boolean): boolean {
  if (strict) return given === expected;
  return (given === 'none') === (expected === 'none');
}

function failed({ headers, application, protocol }: EndpointRequest): Refusal {
  const description = 'client authentication failed';
  const challenge = `Basic realm="${application.issuerOf(protocol)}", error="invalid_client", error_description="${description}"`;
  const sent = headers.authorization !== undefined;
  return new Refusal(
    401,
    'invalid_client',
    description,
    sent ? { 'WWW-Authenticate': challenge } : {},
  );
}

// RFC 6749 §2.3.1: id and secret are form-encoded before they are put into the header.
function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalidRequest(
      'client_id and client_secret in the authorization header are not properly encoded',
    );
  }
}
