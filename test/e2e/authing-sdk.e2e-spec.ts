import { afterEach, describe, expect, it } from '@jest/globals';
import { AuthenticationClient } from 'authing-node-sdk';

import type { GenAuthModuleOptions } from '../../src/index.js';
import {
  type ClientAuthMethod,
  FakeGenAuth,
  type LoggedRequest,
  type Protocol,
} from '../../src/testing.js';
import { type GuardedApp, startGuardedApp } from '../harness/guarded-app.js';

const METHODS: readonly ClientAuthMethod[] = ['client_secret_post', 'client_secret_basic', 'none'];
const PROTOCOLS: readonly Protocol[] = ['oidc', 'oauth'];
const COMBINATIONS = PROTOCOLS.flatMap((protocol) =>
  METHODS.map((method) => ({ protocol, method })),
);

/**
 * The headers in which the two clients may differ, and nothing else may: the SDK names its application
 * once more, each prefers its own answer format, and each has its own way with connections.
 */
const OWN_HEADERS = ['x-authing-app-id', 'accept', 'accept-encoding', 'user-agent', 'connection'];

interface Pair {
  readonly genauth: FakeGenAuth;
  readonly ours: GuardedApp;
  readonly sdk: AuthenticationClient;
}

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.ours.close();
  await pair?.genauth.stop();
  pair = undefined;
});

/** Both clients, configured by the same object, before a server that takes the configured method only. */
async function start(
  protocol: Protocol,
  method: ClientAuthMethod,
  tokenEndPointAuthMethod: ClientAuthMethod = 'client_secret_post',
): Promise<Pair> {
  const genauth = await FakeGenAuth.start({
    applications: [{ protocol, authMethods: { introspection: method, revocation: method } }],
  });
  genauth.switches.strictAuthMethods = true;
  const options = genauth.application.options();
  const ours = await startGuardedApp(options as GenAuthModuleOptions);
  const sdk = new AuthenticationClient({ ...options, tokenEndPointAuthMethod });
  return (pair = { genauth, ours, sdk });
}

function tokensOf(genauth: FakeGenAuth, protocol: Protocol) {
  return protocol === 'oauth' ? genauth.opaqueToken() : genauth.signIn();
}

/** What was sent, with everything in which the clients may differ left out. */
function essence({ method, path, query, headers, body, status }: LoggedRequest, token: string) {
  const kept = Object.entries(headers).filter(([name]) => !OWN_HEADERS.includes(name));
  const { 'content-length': length, ...rest } = Object.fromEntries(kept);
  const form = { ...body, token: body['token'] === token ? 'the token' : body['token'] };
  // The tokens differ, but are of one length, and so must be the bodies.
  return { method, path, query, headers: rest, length, form, status };
}

function expectedForm(genauth: FakeGenAuth, method: ClientAuthMethod) {
  const { appId: client_id, appSecret: client_secret } = genauth.application;
  if (method === 'client_secret_basic') return { token: 'the token' };
  if (method === 'none') return { client_id, token: 'the token' };
  return { client_id, client_secret, token: 'the token' };
}

function expectedAuthorization(genauth: FakeGenAuth, method: ClientAuthMethod) {
  if (method !== 'client_secret_basic') return undefined;
  const { appId, appSecret } = genauth.application;
  return `Basic ${Buffer.from(`${appId}:${appSecret}`).toString('base64')}`;
}

describe('beside the vendor SDK, introspection', () => {
  it.each(COMBINATIONS)(
    'sends the same request and gets the same answer with $protocol and $method',
    async ({ protocol, method }) => {
      const { genauth, ours, sdk } = await start(protocol, method);
      const { access_token: token } = tokensOf(genauth, protocol);

      const theirAnswer: unknown = await sdk.introspectToken(token);
      const ourAnswer = await ours.tokens.introspect(token);

      const [theirs, mine] = genauth.requests.of('introspection').map((r) => essence(r, token));
      expect(mine).toEqual(theirs);
      expect(mine?.path).toBe(`/${protocol}/token/introspection`);
      expect(mine?.form).toEqual(expectedForm(genauth, method));
      expect(mine?.headers.authorization).toBe(expectedAuthorization(genauth, method));
      expect(ourAnswer).toEqual(theirAnswer);
      expect(ourAnswer['active']).toBe(true);
    },
  );

  it('agrees on a token that the SDK revoked, and on one that never was', async () => {
    const { genauth, ours, sdk } = await start('oidc', 'client_secret_post');
    const { access_token: token } = genauth.signIn();
    await sdk.revokeToken(token);
    for (const text of [token, 'never-issued']) {
      expect(await ours.tokens.introspect(text)).toEqual(await sdk.introspectToken(text));
    }
    expect(await ours.tokens.introspect(token)).toEqual({ active: false });
  });

  it('adds a token_type_hint, which the SDK never sends, only when it is given', async () => {
    const { genauth, ours } = await start('oidc', 'client_secret_post');
    const { access_token: token } = genauth.signIn();
    await ours.tokens.introspect(token);
    await ours.tokens.introspect(token, { tokenTypeHint: 'access_token' });
    const hints = genauth.requests.of('introspection').map(({ body }) => body['token_type_hint']);
    expect(hints).toEqual([undefined, 'access_token']);
  });

  it('writes characters that a form must escape as the SDK does', async () => {
    const { genauth, ours, sdk } = await start('oidc', 'client_secret_post');
    const awkward = 'a+b/c~d==';
    await sdk.introspectToken(awkward);
    await ours.tokens.introspect(awkward);
    const sent = genauth.requests.of('introspection').map(({ body }) => body['token']);
    expect(sent).toEqual([awkward, awkward]);
  });
});

/** The SDK refuses this one combination by itself, before it sends anything. */
const SDK_REFUSES = ({ protocol, method }: (typeof COMBINATIONS)[number]) =>
  protocol === 'oauth' && method === 'client_secret_basic';

describe('beside the vendor SDK, revocation', () => {
  const CONFIRMED = { success: true, log: 'acknowledged', genauth: 'confirmed' };

  it.each(COMBINATIONS.filter((each) => !SDK_REFUSES(each)))(
    'sends the same request with the same effect with $protocol and $method',
    async ({ protocol, method }) => {
      const { genauth, ours, sdk } = await start(protocol, method);
      const [one, two] = [tokensOf(genauth, protocol), tokensOf(genauth, protocol)];

      expect(await sdk.revokeToken(one.access_token)).toBe(true);
      expect(await ours.tokens.revoke(two.access_token, { cascade: false })).toEqual(CONFIRMED);

      const [theirs, mine] = genauth.requests.of('revocation');
      const ourEssence = essence(mine as LoggedRequest, two.access_token);
      expect(ourEssence).toEqual(essence(theirs as LoggedRequest, one.access_token));
      expect(ourEssence.path).toBe(`/${protocol}/token/revocation`);
      expect(ourEssence.form).toEqual(expectedForm(genauth, method));
      expect(ourEssence.headers.authorization).toBe(expectedAuthorization(genauth, method));
      for (const { access_token, refresh_token } of [one, two]) {
        expect(genauth.revoked(access_token)).toBe(true);
        expect(genauth.revoked(refresh_token)).toBe(false);
      }
    },
  );

  it.each(COMBINATIONS.filter((each) => !SDK_REFUSES(each)))(
    'ends the grant of a refresh token as the SDK does with $protocol and $method',
    async ({ protocol, method }) => {
      const { genauth, ours, sdk } = await start(protocol, method);
      const [one, two] = [tokensOf(genauth, protocol), tokensOf(genauth, protocol)];

      await sdk.revokeToken(one.refresh_token);
      // The allowed difference: we ask first whose it is, to deny its access tokens here.
      expect(genauth.requests.count('introspection')).toBe(0);
      expect(await ours.tokens.revoke(two.refresh_token)).toEqual(CONFIRMED);
      expect(genauth.requests.count('introspection')).toBe(1);

      const [theirs, mine] = genauth.requests.of('revocation');
      expect(essence(mine as LoggedRequest, two.refresh_token)).toEqual(
        essence(theirs as LoggedRequest, one.refresh_token),
      );
      for (const { access_token, refresh_token } of [one, two]) {
        expect(genauth.revoked(access_token)).toBe(true);
        expect(genauth.revoked(refresh_token)).toBe(true);
      }
    },
  );

  it('works here where the SDK gives up: client_secret_basic with the OAuth protocol', async () => {
    const { genauth, ours, sdk } = await start('oauth', 'client_secret_basic');
    const { access_token: token } = genauth.opaqueToken();
    await expect(sdk.revokeToken(token)).rejects.toThrow('client_secret_basic');
    expect(genauth.requests.count('revocation')).toBe(0);
    expect(await ours.tokens.revoke(token, { cascade: false })).toEqual(CONFIRMED);
    const [mine] = genauth.requests.of('revocation');
    expect(essence(mine as LoggedRequest, token)).toMatchObject({
      path: '/oauth/token/revocation',
      form: { token: 'the token' },
      headers: { authorization: expectedAuthorization(genauth, 'client_secret_basic') },
    });
    expect(genauth.revoked(token)).toBe(true);
  });

  it('works here where the SDK sends two credentials: its token endpoint set to client_secret_basic', async () => {
    const { genauth, ours, sdk } = await start('oidc', 'client_secret_post', 'client_secret_basic');
    const { access_token: token } = genauth.signIn();
    await expect(sdk.revokeToken(token)).rejects.toMatchObject({ response: { status: 400 } });
    const [theirs] = genauth.requests.of('revocation');
    expect(theirs?.headers.authorization).toBe(
      expectedAuthorization(genauth, 'client_secret_basic'),
    );
    expect(theirs?.body['client_secret']).toBe(genauth.application.appSecret);
    expect(genauth.revoked(token)).toBe(false);

    expect(await ours.tokens.revoke(token)).toEqual(CONFIRMED);
    const mine = genauth.requests.last('revocation');
    expect(mine?.headers.authorization).toBeUndefined();
    expect(mine?.body).toEqual({
      ...expectedForm(genauth, 'client_secret_post'),
      token,
    });
    expect(genauth.revoked(token)).toBe(true);
  });

  it('tells an error in a 200 from a success, which the SDK does not', async () => {
    const { genauth, ours, sdk } = await start('oidc', 'client_secret_post');
    const { access_token: token } = genauth.signIn();
    genauth.fault('revocation', { body: { statusCode: 403, message: 'forbidden' } }, 2);
    expect(await sdk.revokeToken(token)).toBe(true);
    await expect(ours.tokens.revoke(token)).rejects.toMatchObject({ code: 'genauth_refused' });
    expect(genauth.revoked(token)).toBe(false);
  });

  it('adds a token_type_hint, which the SDK never sends, only when it is given', async () => {
    const { genauth, ours } = await start('oidc', 'client_secret_post');
    await ours.tokens.revoke(genauth.signIn().access_token);
    await ours.tokens.revoke(genauth.signIn().refresh_token, { tokenTypeHint: 'refresh_token' });
    const hints = genauth.requests.of('revocation').map(({ body }) => body['token_type_hint']);
    expect(hints).toEqual([undefined, 'refresh_token']);
  });

  it('by the SDK, in another process, is heard of when GenAuth is asked about the token', async () => {
    const { genauth, ours, sdk } = await start('oidc', 'client_secret_post');
    // Issued before the application started, so the log does not cover it.
    const claims = { iat: Math.floor(genauth.now() / 1_000) - 60 };
    const [revoked, alive] = [genauth.signIn({ claims }), genauth.signIn({ claims })];
    await sdk.revokeToken(revoked.access_token);
    expect((await ours.call('/me', revoked.access_token)).status).toBe(401);
    expect((await ours.call('/me', alive.access_token)).status).toBe(200);
  });
});
