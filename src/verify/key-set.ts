import { publishAlarm } from '../core/channels.js';
import type { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError, type Unavailability } from '../core/errors.js';
import { SigningKey } from './signing-key.js';

/** More keys than any issuer publishes; a larger set is a bad answer. */
const MOST_KEYS = 100;

/** Durations of a key set; see the option `keys`. */
export interface KeySetTimes {
  readonly keysMaxAgeMs: number;
  readonly keysCooldownMs: number;
  readonly keysStaleLimitMs: number;
}

/**
 * One application's signing keys.
 *
 * At most one fetch is under way. A fetch that failed, or was made for an unknown key, is followed by a
 * pause of `cooldown` whatever arrives. Keys are refreshed ahead, replaced as a whole, and serve while
 * GenAuth is away, until `staleLimit` after the last answer.
 */
export class KeySet {
  #keys: readonly SigningKey[] = [];
  #ids: ReadonlySet<string> = new Set();
  /** Of the last good answer. Monotonic, as is everything here: setting a clock must not renew keys. */
  #fetchedAt = -Infinity;
  #pausedUntil = -Infinity;
  #lastAttemptFailed = false;
  #attempt: Promise<void> | undefined;

  /**
   * @param fetch asks for the published keys
   * @param withdrawn is told when keys have left the set
   */
  constructor(
    private readonly fetch: () => Promise<readonly unknown[]>,
    private readonly algorithms: readonly string[],
    private readonly times: KeySetTimes,
    private readonly clock: Clock,
    private readonly withdrawn: () => void = () => {},
  ) {}

  /**
   * The one key that `kid` names and that suits `alg`. Without `kid`, the one key that suits.
   *
   * @throws {TokenError} there is no such key, or more than one
   * @throws {GenAuthUnavailableError} the keys are too old or could not be fetched, so nothing can be said
   */
  async find(kid: string | undefined, alg: string): Promise<SigningKey> {
    if (this.tooOld) {
      if (!this.#mayAttempt) throw this.#stale('no current keys, and the last fetch failed');
      await this.#refresh();
    } else {
      this.refreshAhead();
    }
    const known = this.peek(kid, alg);
    if (known) return known;
    if (this.#mayAttempt) {
      this.#pause();
      await this.#refresh();
    } else if (this.#lastAttemptFailed) {
      throw this.#stale('an unknown key, and the last fetch failed');
    }
    const found = this.peek(kid, alg);
    if (found) return found;
    throw new TokenError('unknown_key', "no published key has this 'kid' and suits 'alg'");
  }

  /**
   * As `find`, for a message whose refusal is final. During the pause that somebody else's unknown key has
   * caused, nobody can say that a key is not published: it may be a new one.
   */
  async findForGood(kid: string | undefined, alg: string): Promise<SigningKey> {
    const before = this.#keys;
    try {
      return await this.find(kid, alg);
    } catch (error) {
      const isUnknown = error instanceof TokenError && error.reason === 'unknown_key';
      if (!isUnknown || this.#keys !== before) throw error;
      throw this.#stale('an unknown key, and it is too early for another fetch');
    }
  }

  /** As `find`, from what is known now. @throws {TokenError} more than one key fits */
  peek(kid: string | undefined, alg: string): SigningKey | undefined {
    if (this.tooOld) return undefined;
    const named = kid === undefined ? this.#keys : this.#keys.filter((key) => key.kid === kid);
    const [first, second] = named.filter((key) => key.suits(alg));
    if (second) throw new TokenError('ambiguous_key', 'more than one published key fits');
    if (!first && kid !== undefined && named.length > 0) {
      throw new TokenError('unsuitable_key', "the key that 'kid' names is not for this 'alg'");
    }
    return first;
  }

  /** Whether the key is still published, as far as is known and as long as that may be relied on. */
  holds(keyId: string, mono = this.clock.mono()): boolean {
    const age = mono - this.#fetchedAt;
    if (age > this.times.keysMaxAgeMs) this.refreshAhead();
    return age <= this.times.keysStaleLimitMs && this.#ids.has(keyId);
  }

  /** Whether `staleLimit` has passed, so that nothing can be said of any key. */
  get tooOld(): boolean {
    return this.#age > this.times.keysStaleLimitMs;
  }

  /** Fetches again unless there was a pause to keep. @returns whether the keys are newer than the call */
  async renew(): Promise<boolean> {
    if (this.#attempt || !this.#mayAttempt) return false;
    this.#pause();
    await this.#refresh().catch(() => undefined);
    return !this.#lastAttemptFailed;
  }

  /** Begins to fetch in the background when the keys are older than `maxAge`. */
  refreshAhead(): void {
    if (this.#age <= this.times.keysMaxAgeMs || this.#attempt || !this.#mayAttempt) return;
    this.#refresh().catch(() => {
      publishAlarm({ alarm: 'keys_not_refreshed', detail: 'serving older keys until staleLimit' });
    });
  }

  get #age(): number {
    return this.clock.mono() - this.#fetchedAt;
  }

  /** Whether a fetch is under way, which anybody may join, or may begin. */
  get #mayAttempt(): boolean {
    return this.#attempt !== undefined || this.clock.mono() >= this.#pausedUntil;
  }

  #pause(): void {
    this.#pausedUntil = this.clock.mono() + this.times.keysCooldownMs;
  }

  /** Joins the fetch that is under way, or begins one. */
  async #refresh(): Promise<void> {
    this.#attempt ??= this.#fetchAll().finally(() => (this.#attempt = undefined));
    await this.#attempt;
  }

  async #fetchAll(): Promise<void> {
    const sentAt = this.clock.mono();
    try {
      this.#replace(await this.#import(await this.fetch()));
      this.#fetchedAt = sentAt;
      this.#lastAttemptFailed = false;
    } catch (error) {
      this.#lastAttemptFailed = true;
      this.#pause();
      if (!(error instanceof GenAuthUnavailableError)) throw error;
      throw this.#unavailable(error.reason, 'the keys could not be fetched');
    }
  }

  #import(published: readonly unknown[]): Promise<(SigningKey | undefined)[]> {
    if (published.length > MOST_KEYS)
      throw this.#stale(`more than ${MOST_KEYS} keys are published`);
    return Promise.all(published.map((jwk) => SigningKey.import(jwk, this.algorithms)));
  }

  #replace(keys: readonly (SigningKey | undefined)[]): void {
    const before = this.#ids;
    this.#keys = keys.filter((key) => key !== undefined);
    this.#ids = new Set(this.#keys.map((key) => key.id));
    if ([...before].some((id) => !this.#ids.has(id))) this.withdrawn();
  }

  #stale(detail: string): GenAuthUnavailableError {
    return this.#unavailable('keys_stale', detail);
  }

  #unavailable(reason: Unavailability, detail: string): GenAuthUnavailableError {
    const pauseMs = Math.max(1_000, this.#pausedUntil - this.clock.mono());
    return new GenAuthUnavailableError(reason, detail, pauseMs);
  }
}
