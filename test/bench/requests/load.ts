import { Child } from '../common/child.js';
import { forgedFrom, type Identity } from '../common/identity.js';

/** Tokens to send. */
export interface Tokens {
  readonly good: readonly string[];
  /** Each is sent once to a server, junk as well. */
  readonly fresh: readonly string[];
  readonly junk: readonly string[];
}

/** How many of a hundred requests bring a token that the server has not seen, or junk. */
export interface Mix {
  readonly fresh: number;
  readonly junk: number;
}

/** Tokens of GenAuth, or as a Keycloak realm would issue them. */
export type TokenKind = 'genauth' | 'realm';

export interface Target {
  readonly port: number;
  readonly kind: TokenKind;
  readonly mix: Mix;
  /** Whether junk has to be refused. */
  readonly refuses: boolean;
  /** Connections that each wait for their answer before they send again. */
  readonly width: number;
}

/** What a stretch of requests looked like from outside. */
export interface Answered {
  readonly answered: number;
  readonly unexpected: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** For asking each server once whether it refuses junk. */
const SPARE_JUNK = 10;

/** A process that sends requests as fast as they are answered. */
export class Load {
  private constructor(private readonly child: Child) {}

  /** @param most of each kind, for any of the servers */
  static async start(identity: Identity, most: { fresh: number; junk: number }): Promise<Load> {
    const child = await Child.start(import.meta.url, './load-process.js', { core: 'load' });
    const good = await identity.mint({ alg: 'RS256', count: 500, register: true });
    const genauth: Tokens = {
      good,
      fresh: await identity.mint({ alg: 'RS256', count: most.fresh }),
      junk: Array.from({ length: most.junk + SPARE_JUNK }, (_, place) =>
        forgedFrom(good[place % good.length] as string),
      ),
    };
    const claims = { iss: identity.issuer.realmIssuer, typ: 'Bearer' };
    const realmGood = await identity.mint({ alg: 'RS256', count: 500, claims });
    const realm: Tokens = { good: realmGood, fresh: [], junk: realmGood.map(forgedFrom) };
    await child.ask('take', { genauth, realm } satisfies Record<TokenKind, Tokens>);
    return new Load(child);
  }

  /** Opens connections to a server, which is called `name` from here on. */
  aim(name: string, target: Target): Promise<void> {
    return this.child.ask('aim', { name, target });
  }

  /** Counts from here. */
  begin(name: string): Promise<void> {
    return this.child.ask('begin', name);
  }

  /** Sends for so long; resolves when everything is answered. */
  run(name: string, ms: number): Promise<void> {
    return this.child.ask('run', { name, ms });
  }

  /** What was counted. Closes the connections. */
  end(name: string): Promise<Answered> {
    return this.child.ask('end', name);
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}
