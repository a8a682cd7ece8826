import { BACKEND, CALLBACK, quietly, RESOURCE } from './authorization-server.js';

/** What a browser session at the authorization server gave the application. */
export interface BrowserSession {
  readonly accessToken: string;
  readonly idToken: string;
  /** The user signs out at the server. */
  end(): Promise<void>;
}

/** A browser of its own signs a user in at the server, by the code flow. */
export async function signInWithBrowser(issuer: string, sub: string): Promise<BrowserSession> {
  const browser = new Browser(issuer);
  const { clientId, clientSecret } = BACKEND;
  const wanted = { client_id: clientId, redirect_uri: CALLBACK, resource: RESOURCE };
  const asked = { ...wanted, response_type: 'code', scope: 'openid book:read', login_hint: sub };
  const back = await browser.follow(`/auth?${new URLSearchParams(asked)}`);
  const code = new URL(back).searchParams.get('code') ?? '';
  const body = new URLSearchParams({
    ...wanted,
    client_secret: clientSecret,
    grant_type: 'authorization_code',
    code,
  });
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body });
  const tokens = (await answer.json()) as { access_token: string; id_token: string };
  if (!answer.ok) throw new Error(JSON.stringify(tokens));
  return {
    accessToken: tokens.access_token,
    idToken: tokens.id_token,
    end: () => quietly(() => browser.signOut(tokens.id_token)),
  };
}

/** As much of a browser as a sign-in needs: cookies, redirects, and one form. */
class Browser {
  readonly #cookies = new Map<string, string>();

  constructor(private readonly origin: string) {}

  /** Follows redirects until one leads away from the server. @returns where to */
  async follow(path: string): Promise<string> {
    for (let next = path; ;) {
      const location = (await this.#send(next)).headers.get('location');
      if (location === null) throw new Error(`no redirect from ${next}`);
      const url = new URL(location, this.origin);
      if (url.origin !== this.origin) return url.href;
      next = url.pathname + url.search;
    }
  }

  async signOut(idToken: string): Promise<void> {
    const page = await this.#send(`/session/end?id_token_hint=${idToken}`);
    const [, xsrf = ''] = /name="xsrf" value="(\w+)"/.exec(await page.text()) ?? [];
    const body = new URLSearchParams({ xsrf, logout: 'yes' });
    const { status } = await this.#send('/session/end/confirm', { method: 'POST', body });
    if (status !== 303) throw new Error(`the sign-out was answered ${status}`);
  }

  async #send(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(this.origin + path, {
      ...init,
      headers: { cookie },
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }
}
