import { RevocationError, type GenAuthModuleOptions } from '../../src/index.js';
import { FakeGenAuth, VirtualClock, type FakeGenAuthOptions } from '../../src/testing.js';
import { startGuardedApp, type GuardedApp } from './guarded-app.js';

/** The virtual morning on which every scene begins: half past a whole second. */
const MORNING = Date.UTC(2031, 0, 6, 9) + 500;

/** What `start` adds to `startGuardedApp`: everything but the clock, which is the scene's. */
type Extras = Omit<NonNullable<Parameters<typeof startGuardedApp>[1]>, 'clock'>;

/** One stand-in and the applications before it, all on one virtual clock. */
export class Scene {
  readonly #apps: GuardedApp[] = [];

  private constructor(
    readonly genauth: FakeGenAuth,
    readonly clock: VirtualClock,
  ) {}

  /** Signs with ES256 unless told otherwise: its keys are made in no time. */
  static async set(options: FakeGenAuthOptions = {}): Promise<Scene> {
    const clock = new VirtualClock(MORNING);
    const applications = options.applications ?? [{ alg: 'ES256' as const }];
    const genauth = await FakeGenAuth.start({ ...options, applications, clock });
    return new Scene(genauth, clock);
  }

  /** The options of the first application, unless `applications` are given, with those given on top. */
  options(more: Partial<GenAuthModuleOptions> = {}): GenAuthModuleOptions {
    const { application } = this.genauth;
    return {
      ...(!more.applications && {
        ...application.options(),
        algorithms: [application.keys.current.alg],
      }),
      timeout: 1_000,
      ...more,
    } as GenAuthModuleOptions;
  }

  /** Starts an application, and lets so much time pass that tokens issued from now on are covered. */
  async start(more: Partial<GenAuthModuleOptions> = {}, extras: Extras = {}): Promise<GuardedApp> {
    const app = await startGuardedApp(this.options(more), { ...extras, clock: this.clock });
    this.#apps.push(app);
    this.clock.advance(10_000);
    return app;
  }

  /** Ends an application as a redeployment does; the stand-in and the time go on. */
  async end(app: GuardedApp): Promise<void> {
    this.#apps.splice(this.#apps.indexOf(app), 1);
    await app.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.close()));
    await this.genauth.stop();
  }
}

/** What a revocation rejects with. @throws {Error} it resolved, or rejected with anything else */
export async function failureOf(revocation: Promise<unknown>): Promise<RevocationError> {
  try {
    await revocation;
  } catch (error) {
    if (error instanceof RevocationError) return error;
    throw error;
  }
  throw new Error('The revocation was expected to reject, and resolved.');
}

/** The status that a token gets at a guarded route. */
export async function statusOf(app: GuardedApp, token: string): Promise<number> {
  const { status, headers } = await app.call('/me', token);
  if (status === 503 && !/^\d+$/.test(headers.get('retry-after') ?? '')) {
    throw new Error('A 503 came without Retry-After.');
  }
  return status;
}

/** Waits for a condition, and gives up after a while. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  withinMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('The condition did not come true in time.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
