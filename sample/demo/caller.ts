/** What a step of the demonstration expects of an answer. */
export interface Expected {
  readonly status: number;
  /** Must be part of the `WWW-Authenticate` header. */
  readonly challenge?: string;
  /** Must be part of the body. */
  readonly body?: string;
}

type Answer = Required<Expected>;

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
    const response = await fetch(this.host + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json && { 'content-type': 'application/json' }),
      },
      ...(json && { body: JSON.stringify(json) }),
    });
    const answer: Answer = {
      status: response.status,
      challenge: response.headers.get('www-authenticate') ?? '',
      body: await response.text(),
    };
    const bearer = token === undefined ? '' : `  Authorization: Bearer ${short(token)}`;
    const challenge = answer.challenge && `WWW-Authenticate: ${answer.challenge} `;
    console.log(`  ${method} ${path}${bearer}`);
    console.log(`    → ${answer.status} ${challenge}${answer.body}`);
    this.expect(isAsSaid(answer, expected), `expected ${JSON.stringify(expected)}`);
  }

  expect(truth: boolean, otherwise: string): void {
    if (truth) return;
    this.#surprises += 1;
    console.log(`    ✗ not as said: ${otherwise}`);
  }
}

function isAsSaid(answer: Answer, { status, challenge = '', body = '' }: Expected): boolean {
  return (
    answer.status === status && answer.challenge.includes(challenge) && answer.body.includes(body)
  );
}

function short(token: string): string {
  return token.length < 24 ? token : `${token.slice(0, 8)}…${token.slice(-8)}`;
}
