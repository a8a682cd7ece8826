import {
  FakeApplication,
  hexId,
  type FakeAccount,
  type FakeApplicationOptions,
} from './application.js';
import { FrontDoor } from './front-door.js';
import { Listener } from './listener.js';
import { UserPool } from './user-pool.js';

/** What a test may fix when it starts a stand-in; everything left out is made up. */
export interface FakeGenAuthOptions {
  /** @default two applications */
  applications?: readonly FakeApplicationOptions[];
  /** An account without `appId` belongs to the first application. @default one for each application */
  accounts?: readonly (Omit<FakeAccount, 'appId'> & { appId?: string })[];
  /** Stamps tokens and answers, and decides expiry. @default the real time */
  clock?: { now(): number };
  /**
   * One host for all applications, each under `/APP_ID`, as on a unified domain. Without the prefix the
   * host shows the first application's keys, and its other endpoints serve every application.
   *
   * @default false: each application has a port of its own
   */
  pathPrefix?: boolean;
  /** What an application's tokens say in `iss`. @default `{appHost}/oidc` */
  issuer?: (appId: string) => string;
}

/** A stand-in that listens. */
export interface RunningParts {
  readonly pool: UserPool;
  readonly door: FrontDoor;
  /** By application id; the same one for all under a path prefix. */
  readonly listeners: ReadonlyMap<string, Listener>;
}

type WantedApplication = FakeApplicationOptions & { appId: string };

/** Opens the ports first, since applications are named after their addresses. */
export async function startUp(options: FakeGenAuthOptions): Promise<RunningParts> {
  const wanted = (options.applications ?? [{}, {}]).map((each) => ({
    ...each,
    appId: each.appId ?? hexId(24),
  }));
  if (wanted.length === 0) throw new Error('applications: name at least one, or leave it out.');
  const prefixed = options.pathPrefix ?? false;
  const listeners = await openListeners(wanted, prefixed);
  const applications = wanted.map((each) => {
    const origin = listeners.get(each.appId)?.origin ?? '';
    return applicationAt(prefixed ? `${origin}/${each.appId}` : origin, each, options.issuer);
  });
  const accounts = accountsOf(options, applications);
  const pool = new UserPool(applications, accounts, options.clock ?? { now: () => Date.now() });
  const door = new FrontDoor(pool, prefixed);
  for (const [appId, listener] of listeners) {
    const served = prefixed ? applications : [pool.application(appId)];
    listener.receive = (request, response) => void door.receive(request, response, served);
  }
  return { pool, door, listeners };
}

async function openListeners(
  wanted: readonly WantedApplication[],
  shared: boolean,
): Promise<Map<string, Listener>> {
  const common = new Listener();
  const listeners = new Map<string, Listener>();
  for (const { appId } of wanted) {
    listeners.set(appId, await (shared ? common : new Listener()).open());
  }
  return listeners;
}

function applicationAt(
  appHost: string,
  wanted: WantedApplication,
  issuerOf: FakeGenAuthOptions['issuer'],
): FakeApplication {
  const issuer = wanted.issuer ?? issuerOf?.(wanted.appId);
  return new FakeApplication({ ...wanted, appHost, ...(issuer !== undefined && { issuer }) });
}

function accountsOf(
  { accounts }: FakeGenAuthOptions,
  applications: readonly FakeApplication[],
): FakeAccount[] {
  const first = applications[0]?.appId ?? '';
  if (accounts) return accounts.map((each) => ({ ...each, appId: each.appId ?? first }));
  return applications.map(({ appId }) => ({
    accessKey: hexId(24),
    secretKey: hexId(32),
    appId,
  }));
}
