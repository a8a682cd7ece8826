import type { Protocol } from './application.js';
import { isSignedBy, type SigningKey } from './signing-keys.js';

/** One login, or one machine's token request: what was consented to, and whether it still stands. */
export interface Grant {
  readonly appId: string;
  readonly protocol: Protocol;
  readonly sub: string | undefined;
  readonly scope: string;
  /** Whether it outlives the browser session. */
  readonly offline: boolean;
  /** Claims that a pipeline adds to each of its access tokens. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Seconds that its access tokens live. */
  readonly lifetime: number;
  ended: boolean;
}

/** A token that the server remembers. */
export interface IssuedToken {
  readonly kind: 'access' | 'machine' | 'refresh' | 'id';
  readonly grant: Grant;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The key that signed it; absent for opaque and symmetric tokens. */
  readonly key?: SigningKey | undefined;
  revoked: boolean;
  /** Whether rotation has put another refresh token in its place. */
  consumed?: boolean;
}

interface Entry {
  readonly text: string;
  readonly token: IssuedToken;
}

/** Everything that the server issued, by what was signed: another spelling of a token is the same token. */
export class TokenStore {
  readonly #entries = new Map<string, Entry>();

  /** Remembers a token; the same text again replaces what was known. */
  add(text: string, token: IssuedToken): void {
    this.#entries.set(contentOf(text), { text, token });
  }

  /** What the text stands for; nothing when it was never issued or its signature does not hold. */
  find(text: string): IssuedToken | undefined {
    const content = contentOf(text);
    const entry = this.#entries.get(content);
    if (!entry || entry.text === text) return entry?.token;
    const { key } = entry.token;
    const signature = Buffer.from(text.slice(content.length + 1), 'base64url');
    return key && isSignedBy(key, content, signature) ? entry.token : undefined;
  }

  /** Whether the token is neither expired, nor rotated away, nor revoked, alone or with its grant. */
  isLive(token: IssuedToken, now: number): boolean {
    const { exp } = token.payload;
    const expired = typeof exp === 'number' && exp * 1000 <= now;
    return !expired && !token.consumed && !token.revoked && !token.grant.ended;
  }
}

function contentOf(text: string): string {
  const cut = text.lastIndexOf('.');
  return cut === -1 ? text : text.slice(0, cut);
}
