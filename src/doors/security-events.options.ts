import type { JsonObject } from '../core/json.js';
import type { ResolvedApplication, SignatureAlgorithm } from '../genauth.options.js';

/**
 * What an event does. `subject`: everything of the subject that was issued up to then is dead. `session`: of
 * the session, where the event names one, else of the subject. `nothing`: it is acknowledged.
 */
export type EventEffect = 'subject' | 'session' | 'nothing';

/** How SETs are fetched from a transmitter (RFC 8936). Durations are milliseconds. */
export interface PollOptions {
  /** The stream's `endpoint_url`. */
  endpoint: string;
  /** Sent as `Authorization`; without a scheme it is a bearer token. */
  authorization?: string;
  /** Whether this process polls. Of a fleet, one process that does is enough. @default true */
  enabled?: boolean;
  /** From the beginning of one exchange to the next, as long as there is no news. @default 5_000 */
  interval?: number;
  /** Lets the transmitter hold its answer back until it has one. @default false */
  longPolling?: boolean;
  /** Time limit of an exchange. @default the module's `timeout`; 60_000 with `longPolling` */
  timeout?: number;
  /** SETs in one answer; at most 60, so that an answer stays below 1 MiB. @default 50 */
  maxEvents?: number;
  /** Longest pause after exchanges that failed. @default 60_000 */
  maxBackoff?: number;
}

/** A transmitter of security events, and what it may say. */
export interface TransmitterOptions {
  /** Exact value of `iss` in its SETs. */
  issuer: string;
  /** Where its keys are published. */
  jwksUri: string;
  /** A SET must name one of these in `aud`. */
  audience: string | readonly string[];
  /** Allow-list for signatures. @default ['RS256'] */
  algorithms?: readonly SignatureAlgorithm[];
  /** The applications that it may speak of. @default all */
  appId?: string | readonly string[];
  /** Further values of `iss` in a subject that stand for these applications, beside their own issuers. */
  subjectIssuer?: string | readonly string[];
  /**
   * What it sends as `Authorization` with each push: the stream's `authorization_header`. Without a scheme it
   * is a bearer token. Not asked for when absent: the signature says who speaks.
   */
  authorization?: string;
  /** What a verification event must say as its `state`, if it says one. */
  verificationState?: string;
  /** Fetches SETs, instead of or beside having them pushed. */
  poll?: PollOptions;
  /**
   * How old a SET may be by its `iat`; so long its `jti` is remembered. No token that is alive is older than
   * the default, which is also the most.
   *
   * @default maxTokenLifetime
   */
  maxAge?: number;
  /**
   * Names the `sub` of a subject that is given in another way: `email`, `phone_number`, `account`, `uri`,
   * `did`, or a format of the transmitter's own. Undefined: nobody we know. What it throws, or does not
   * say within the module's `timeout`, makes the transmitter come again.
   */
  mapSubject?: (identifier: JsonObject) => string | undefined | Promise<string | undefined>;
  /**
   * An event that ends one session of a user ends the user's tokens that name no session as well, since they
   * may be of that one: GenAuth's access tokens name none. @default 'revoke'
   */
  sessionless?: 'revoke' | 'keep';
  /** Says what an event does, before the table of known ones is asked; undefined leaves it to the table. */
  map?: (type: string, payload: JsonObject) => EventEffect | undefined;
}

/** Options of `SecurityEventsModule.forRoot`: one transmitter written flat, or several in `transmitters`. */
export type SecurityEventsOptions =
  | (TransmitterOptions & { transmitters?: never })
  | ({ transmitters: readonly TransmitterOptions[] } & {
      [Name in keyof TransmitterOptions]?: never;
    });

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface SecurityEventsOptionsFactory {
  createSecurityEventsOptions(): SecurityEventsOptions | Promise<SecurityEventsOptions>;
}

/** How to poll, with every default filled in. */
export interface ResolvedPoll {
  readonly endpoint: string;
  readonly authorization: string | undefined;
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly longPolling: boolean;
  readonly timeoutMs: number;
  readonly maxEvents: number;
  readonly maxBackoffMs: number;
}

/** A transmitter with every default filled in. */
export interface ResolvedTransmitter {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly applications: readonly ResolvedApplication[];
  readonly subjectIssuers: readonly string[];
  readonly authorization: string | undefined;
  readonly verificationState: string | undefined;
  readonly poll: ResolvedPoll | undefined;
  readonly maxAgeMs: number;
  readonly sessionless: 'revoke' | 'keep';
  readonly mapSubject: TransmitterOptions['mapSubject'];
  readonly map: TransmitterOptions['map'];
}
