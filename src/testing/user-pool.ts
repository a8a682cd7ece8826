import { FakeApplication, type FakeAccount } from './application.js';
import { defaultSwitches, type Switches } from './switches.js';
import { TokenStore } from './token-store.js';

/** GenAuth's user states, and `Deleted` for a user who is gone. */
export type UserStatus =
  'Activated' | 'Suspended' | 'Resigned' | 'Archived' | 'Deactivated' | 'Deleted';

/** What the stand-in knows of a user. */
export interface FakeUser {
  readonly status: UserStatus;
  /** Claims of ID tokens and userinfo. */
  readonly profile: Readonly<Record<string, unknown>>;
}

/** What all applications of one stand-in share: accounts, users, tokens, switches and the time. */
export class UserPool {
  readonly tokens = new TokenStore();
  readonly switches: Switches;
  readonly #clock: { now(): number };
  readonly #users = new Map<string, FakeUser>();

  constructor(
    readonly applications: readonly FakeApplication[],
    readonly accounts: readonly FakeAccount[],
    clock: { now(): number },
  ) {
    this.#clock = clock;
    this.switches = defaultSwitches(
      Object.fromEntries(applications.map((each) => [each.appId, each.authMethods])),
    );
  }

  /** The time by which tokens are stamped and expire, in epoch milliseconds. */
  now(): number {
    return this.#clock.now() + this.switches.clockOffsetMs;
  }

  /** The application with this id, or the first one when none is named. */
  application(appId?: string): FakeApplication {
    const application = appId
      ? this.applications.find((each) => each.appId === appId)
      : this.applications[0];
    if (!application) throw new Error(`This stand-in has no application '${appId}'.`);
    return application;
  }

  /** The account with this key, or the first one of the application (of the first when unnamed). */
  account(accessKey?: string, appId: string = this.application().appId): FakeAccount {
    const account = this.accounts.find((each) =>
      accessKey ? each.accessKey === accessKey : each.appId === appId,
    );
    if (!account) throw new Error(`This stand-in has no account '${accessKey ?? `of ${appId}`}'.`);
    return account;
  }

  /** What is known of a user; everybody who was never mentioned is active. */
  user(sub: string): FakeUser {
    return this.#users.get(sub) ?? { status: 'Activated', profile: {} };
  }

  /** Changes what is known of a user; what is left out stays. */
  setUser(sub: string, change: Partial<FakeUser>): void {
    this.#users.set(sub, { ...this.user(sub), ...change });
  }
}
