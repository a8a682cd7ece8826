import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { EventHub, EventHubModule, type EventHubOptions } from '../../src/event-hub.js';
import type { AlarmMessage, GenAuthModuleOptions, NewsMessage } from '../../src/index.js';
import { FakeEventHub, type FakeEventHubOptions } from '../../src/testing.js';
import type { GuardedApp, Platform } from './guarded-app.js';
import { eventually, Scene } from './scene.js';

export const LOGOUT = 'authing.user.logout';
export const RESIGNED = 'authing.user.resigned';
export const UPDATED = 'authing.user.updated';

/** Longer than any scene: whoever is not about heartbeats sees none. */
const NO_HEARTBEAT = 3_600_000;
/** How long GenAuth is asked after a gap, unless a scene says otherwise. */
export const VERIFY_ONLINE_FOR = 60_000;

/** A guarded application that listens to the hub. */
export interface HubApp extends GuardedApp {
  readonly hub: EventHub;
}

/** How an application of a scene is started. */
export interface HubAppOptions {
  readonly hub?: Partial<EventHubOptions>;
  readonly module?: Partial<GenAuthModuleOptions>;
  readonly platform?: Platform;
  /** Do not wait until it is subscribed, nor until what follows its start as a gap is over. */
  readonly atOnce?: boolean;
}

/** A stand-in, its event hub, and applications before both, on one virtual clock. */
export class HubScene {
  readonly news: NewsMessage[] = [];
  readonly alarms: AlarmMessage[] = [];
  readonly #listen = (message: unknown, name: string | symbol): void => {
    if (name === 'genauth:news') this.news.push(message as NewsMessage);
    else this.alarms.push(message as AlarmMessage);
  };

  private constructor(
    readonly scene: Scene,
    readonly hub: FakeEventHub,
  ) {
    subscribe('genauth:news', this.#listen);
    subscribe('genauth:alarm', this.#listen);
  }

  static async set(options: FakeEventHubOptions = {}): Promise<HubScene> {
    return new HubScene(await Scene.set(), await FakeEventHub.start(options));
  }

  get clock() {
    return this.scene.clock;
  }

  get genauth() {
    return this.scene.genauth;
  }

  async start({ hub, module, platform, atOnce }: HubAppOptions = {}): Promise<HubApp> {
    const options: EventHubOptions = {
      ...this.hub.options(),
      heartbeat: NO_HEARTBEAT,
      onGap: { verifyOnlineFor: VERIFY_ONLINE_FOR },
      ...hub,
    };
    const imports = [EventHubModule.forRoot(options)];
    const started = await this.scene.start(module, { imports, ...(platform && { platform }) });
    const app = { ...started, hub: started.app.get(EventHub) };
    if (atOnce) return app;
    await connected(app);
    this.clock.advance(VERIFY_ONLINE_FOR);
    return app;
  }

  /** A token of the user; time passes, so that what happens next is certainly later. */
  signIn(sub = `user-${Math.random().toString(36).slice(2)}`): string {
    const { access_token: token } = this.genauth.signIn({ sub, scope: 'openid' });
    this.clock.advance(10_000);
    return token;
  }

  /** How often GenAuth was asked about a token. */
  get questions(): number {
    return this.genauth.requests.count('introspection');
  }

  /** What operators were told since the last call. */
  outcomes(): readonly string[] {
    return this.news.splice(0).map(({ outcome }) => outcome);
  }

  async close(): Promise<void> {
    unsubscribe('genauth:news', this.#listen);
    unsubscribe('genauth:alarm', this.#listen);
    await this.scene.close();
    await this.hub.stop();
  }
}

/** Resolves when every subscription of the application is connected. */
export async function connected({ hub }: HubApp): Promise<void> {
  await eventually(() => hub.state().every((one) => one.connected));
}

/** The state of one subscription. */
export function stateOf({ hub }: HubApp, code: string = LOGOUT) {
  const state = hub.state().find((one) => one.code === code);
  if (!state) throw new Error(`Nobody has subscribed to ${code}.`);
  return state;
}

/** Resolves when so many messages of a subscription have come to an end: taken, or not understood. */
export async function settled(app: HubApp, count: number, code: string = LOGOUT): Promise<void> {
  await eventually(() => {
    const { received, taken, notUnderstood } = stateOf(app, code);
    return received === count && taken + notUnderstood === count;
  });
}
