/** What a step of the demonstration expects of an answer. */
export interface Expected {
  readonly status: number;
  /** Must be part of the `WWW-Authenticate` header. */
  readonly challenge?: string;
  /** Must be part of the body. */
  readonly body?: string;
}

/** Plays the caller: sends requests, prints them with their answers, and counts what was not as said. */
export class Caller {
  #surprises = 0;

  constructor(private readonly host: string) {}

  get surprises(): number {
    return this.#surprises;
  }

  say(text: string): void {
    console.log(`\n# ${text}`);
  }

  async send(
    method: 'GET' | 'POST',
    path: string,
    token: string | undefined,
    expected: Expected,
    json?: object,
  ): Promise<void> {
    const headers: Record<string, string> = {};
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (json !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(this.host + path, {
      method,
      headers,
      ...(json && { body: JSON.stringify(json) }),
    });
    const challenge = response.headers.get('www-authenticate') ?? '';
    const body = await response.text();
    console.log(
      `  ${method} ${path}${token === undefined ? '' : `  Authorization: Bearer ${short(token)}`}`,
    );
    console.log(
      `    → ${response.status} ${challenge && `WWW-Authenticate: ${challenge} `}${body}`,
    );
    this.expect(
      response.status === expected.status &&
        challenge.includes(expected.challenge ?? '') &&
        body.includes(expected.body ?? ''),
      `expected ${JSON.stringify(expected)}`,
    );
  }

  expect(truth: boolean, otherwise: string): void {
    if (truth) return;
    this.#surprises += 1;
    console.log(`    ✗ not as said: ${otherwise}`);
  }
}

function short(token: string): string {
  return token.length < 24 ? token : `${token.slice(0, 8)}…${token.slice(-8)}`;
}
