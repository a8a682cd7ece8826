import { GenAuthOptionsError } from './core/errors.js';
import { isJsonObject } from './core/json.js';
import {
  CLIENT_AUTH_METHODS,
  type GenAuthModuleOptions,
  type ResolvedApplication,
  type ResolvedOptions,
  SIGNATURE_ALGORITHMS,
} from './genauth.options.js';
import { OptionReader } from './option-reader.js';
import { RevocationLog } from './core/revocation-log.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** What GenAuth writes as `iss` when it introspects tokens of its OAuth 2.0 endpoints. */
const SHARED_OAUTH_ISSUER = 'https://core.genauth.ai/oauth';

/**
 * Fills in every default, checks everything, and freezes the result. The caller's object is not changed.
 *
 * @throws {GenAuthOptionsError} with one sentence for each option at fault
 */
export function resolveOptions(options: GenAuthModuleOptions): ResolvedOptions {
  const faults: string[] = [];
  if (!isJsonObject(options)) {
    throw new GenAuthOptionsError([
      'forRoot needs an object with at least appId, appHost and appSecret',
    ]);
  }
  const read = new OptionReader(options, '', faults);
  const applications = readApplications(read, faults);
  const revocation = readRevocation(read.group('revocation'));
  const resolved = { applications, ...readShared(read, revocation), ...revocation };
  read.refuseUnknown();
  if (resolved.introspectionTtlMs > resolved.maxStalenessMs) {
    faults.push(
      `introspectionTtl must not be longer than revocation.maxStaleness (${resolved.maxStalenessMs} ms): lower it or raise maxStaleness`,
    );
  }
  if (resolved.keysStaleLimitMs < resolved.keysMaxAgeMs) {
    faults.push('keys.staleLimit must not be shorter than keys.maxAge: raise it');
  }
  if (faults.length > 0) throw new GenAuthOptionsError(faults);
  return Object.freeze(resolved);
}

function readShared(read: OptionReader, { maxStalenessMs }: { readonly maxStalenessMs: number }) {
  const cache = read.group('cache');
  const keys = read.group('keys');
  const shared = {
    clockToleranceMs: read.integer('clockTolerance', 5_000, 0, 5 * MINUTE),
    maxTokenLifetimeMs: read.integer('maxTokenLifetime', 14 * DAY, 1_000, 3_650 * DAY),
    cacheMax: cache.integer('max', 10_000, 1, 10_000_000),
    cacheTtlMs: cache.integer('ttl', MINUTE, 1, DAY),
    cacheStore: cache.cache('store'),
    introspectionTtlMs: read.integer('introspectionTtl', Math.min(10_000, maxStalenessMs), 1, DAY),
    keysMaxAgeMs: keys.integer('maxAge', 10 * MINUTE, 1_000, DAY),
    keysCooldownMs: keys.integer('cooldown', 30_000, 100, DAY),
    keysStaleLimitMs: keys.integer('staleLimit', 60 * MINUTE, 1_000, 7 * DAY),
    refusalTtlMs: read.integer('refusalTtl', 5_000, 0, 60 * MINUTE),
    timeoutMs: read.integer('timeout', 3_000, 1, 60_000),
    rejectUnauthorized: read.boolean('rejectUnauthorized', true),
  };
  cache.refuseUnknown();
  keys.refuseUnknown();
  return shared;
}

function readRevocation(read: OptionReader) {
  const revocation = {
    revocationLog: read.instance('log', RevocationLog),
    maxStalenessMs: read.integer('maxStaleness', 10_000, 1, DAY),
    whenStale: read.oneOf('whenStale', ['introspect', 'refuse', 'accept'] as const, 'introspect'),
    maxEntries: read.integer('maxEntries', 5_000_000, 1, 100_000_000),
  };
  read.refuseUnknown();
  return revocation;
}

function readApplications(flat: OptionReader, faults: string[]): readonly ResolvedApplication[] {
  const several = flat.list('applications');
  if (several === undefined) {
    const only = readApplication(flat);
    return Object.freeze([only]);
  }
  if (several.length === 0) faults.push('applications must name at least one application');
  const resolved = [...several].map((_, place) => {
    const read = flat.element('applications', place);
    const application = readApplication(read);
    read.refuseUnknown();
    return application;
  });
  refuseTwins(resolved, faults);
  return Object.freeze(resolved);
}

/** A token must lead to one application: by its issuer, then by its audience. */
function refuseTwins(applications: readonly ResolvedApplication[], faults: string[]): void {
  applications.forEach((one, place) => {
    for (const other of applications.slice(place + 1)) {
      if (one.appId === other.appId) {
        faults.push(`applications: the appId '${one.appId}' is named twice; remove one`);
      } else if (
        one.issuers.some((issuer) => other.issuers.includes(issuer)) &&
        one.audiences.some((audience) => other.audiences.includes(audience))
      ) {
        faults.push(
          `applications: '${one.appId}' and '${other.appId}' share an issuer and an audience; set issuer or audience so that they differ`,
        );
      }
    }
  });
}

function readApplication(read: OptionReader): ResolvedApplication {
  const appId = read.text('appId');
  const appHost = read.url('appHost').replace(/\/+$/, '');
  const protocol = read.oneOf('protocol', ['oidc', 'oauth'] as const, 'oidc');
  const base = `${appHost}/${protocol}`;
  const verification = read.oneOf('verification', ['local', 'online'] as const, 'local');
  const methods = {
    introspectionAuthMethod: read.oneOf(
      'introspectionEndPointAuthMethod',
      CLIENT_AUTH_METHODS,
      'client_secret_post',
    ),
    revocationAuthMethod: read.oneOf(
      'revocationEndPointAuthMethod',
      CLIENT_AUTH_METHODS,
      'client_secret_post',
    ),
  };
  const secretNeeded = Object.values(methods).some((method) => method !== 'none');
  return Object.freeze({
    appId,
    appHost,
    appSecret: read.secret('appSecret', secretNeeded),
    issuers: read.texts('issuer', ...(protocol === 'oauth' ? [base, SHARED_OAUTH_ISSUER] : [base])),
    audiences: read.texts('audience', appId),
    acceptAuthorizedParty: read.boolean('acceptAuthorizedParty', false),
    jwksUri: read.url('jwksUri', `${base}/.well-known/jwks.json`),
    introspectionEndpoint: read.url('introspectionEndpoint', `${base}/token/introspection`),
    revocationEndpoint: read.url('revocationEndpoint', `${base}/token/revocation`),
    ...methods,
    algorithms: read.someOf('algorithms', SIGNATURE_ALGORITHMS, 'RS256'),
    online: protocol === 'oauth' || verification === 'online',
  });
}
