import type { Type } from '@nestjs/common';

import type { Clock, GenAuthModuleOptions } from '../../src/index.js';
import {
  SecurityEventsModule,
  type SecurityEventsModuleExtras,
  type SecurityEventsOptions,
  type TransmitterOptions,
} from '../../src/doors.js';
import { FakeGenAuth, FakeTransmitter, VirtualClock } from '../../src/testing.js';
import type { FakeGenAuthOptions, FakeTransmitterOptions } from '../../src/testing.js';
import { type DoorApp, type DoorAppOptions, startDoorApp } from './door-app.js';
import type { NestApp } from './nest-app.js';

/** Half past a whole second, as in `Scene`. */
const MORNING = Date.UTC(2031, 0, 6, 9) + 500;

/** What a scene's application may differ in. */
export interface SignalsAppOptions extends Omit<DoorAppOptions, 'clock'> {
  readonly module?: Partial<GenAuthModuleOptions>;
  readonly door?: Partial<TransmitterOptions> | SecurityEventsOptions;
  readonly extras?: SecurityEventsModuleExtras;
  readonly imports?: Type[];
}

/** A stand-in GenAuth, a transmitter, and applications behind both that guard every route; one virtual clock. */
export class SignalsScene {
  readonly #apps: NestApp[] = [];

  private constructor(
    readonly genauth: FakeGenAuth,
    readonly transmitter: FakeTransmitter,
    readonly clock: VirtualClock,
  ) {}

  static async set({
    genauth = {},
    transmitter = {},
  }: {
    genauth?: FakeGenAuthOptions;
    transmitter?: FakeTransmitterOptions;
  } = {}): Promise<SignalsScene> {
    const clock = new VirtualClock(MORNING);
    const applications = genauth.applications ?? [{ alg: 'ES256' as const }];
    return new SignalsScene(
      await FakeGenAuth.start({ ...genauth, applications, clock }),
      await FakeTransmitter.start({ ...transmitter, clock }),
      clock,
    );
  }

  /** Starts an application, and lets so much time pass that tokens issued from now on are covered. */
  async start({
    module,
    door,
    extras,
    imports = [],
    ...how
  }: SignalsAppOptions = {}): Promise<DoorApp> {
    const options = {
      ...(!module?.applications && {
        ...this.genauth.application.options(),
        algorithms: ['ES256'],
      }),
      timeout: 10_000,
      ...module,
    } as GenAuthModuleOptions;
    const signals = SecurityEventsModule.forRoot({
      ...(!(door && 'transmitters' in door) && this.transmitter.options()),
      ...door,
      ...extras,
    } as SecurityEventsOptions);
    const app = await startDoorApp(options, [signals, ...imports], {
      ...how,
      clock: this.clock as Clock,
    });
    this.#apps.push(app);
    this.clock.advance(10_000);
    return app;
  }

  /** A token of this user, issued now. */
  signIn(sub: string): string {
    return this.genauth.signIn({ sub, scope: 'openid' }).access_token;
  }

  /** Names the user as GenAuth does (RFC 9493 §3.2.5). */
  user(sub: string) {
    return { format: 'iss_sub', iss: this.genauth.application.issuer, sub };
  }

  async end(app: NestApp): Promise<void> {
    this.#apps.splice(this.#apps.indexOf(app), 1);
    await app.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.close()));
    await Promise.all([this.genauth.stop(), this.transmitter.stop()]);
  }
}

/** The status that a token gets. */
export async function statusOf(app: NestApp, token: string, path = '/me'): Promise<number> {
  return (await app.call(path, token)).status;
}
