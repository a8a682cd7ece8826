import { Child, type Core } from '../common/child.js';
import type { Load, Mix, TokenKind } from './load.js';
import type { ServerCost, ServerSettings } from './server.js';

/** One server under one load. */
export interface Trial {
  readonly name: string;
  readonly server: ServerSettings;
  readonly mix: Mix;
  readonly kind: TokenKind;
  readonly refuses: boolean;
  readonly core?: Core;
  readonly note?: string;
}

/** Durations are CPU time of the server: on a machine that others use it is warmed up all the same. */
export interface Times {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly width: number;
}

/** A server is under load for so long at a time; then it is asked how much CPU time it has used. */
const SLICE_MS = 200;

/** What one trial came to in one round. */
export interface Outcome extends ServerCost {
  readonly cpuUsPerRequest: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** More requests each second than any server here answers. */
const MOST_PER_SECOND = 120_000;

/** Tokens that are needed if so many of a hundred requests bring one that was never sent before. */
export function mostTokens({ warmUpMs, measuredMs }: Times, ofHundred: number): number {
  const longestMs = warmUpMs + measuredMs + 2 * SLICE_MS;
  return Math.ceil((longestMs / 1_000) * MOST_PER_SECOND * (ofHundred / 100));
}

/**
 * Rounds with new servers each. In a round all of them are up, warmed up, and then under load a slice at a
 * time, in turns: what the machine does otherwise meets all of them alike.
 */
export async function runTrials(
  trials: readonly Trial[],
  load: Load,
  times: Times,
): Promise<Map<string, Outcome[]>> {
  const outcomes = new Map<string, Outcome[]>(trials.map(({ name }) => [name, []]));
  for (let round = 0; round < times.rounds; round += 1) {
    const order = trials.map((_, turn) => trials[(turn + round) % trials.length] as Trial);
    for (const { name, outcome } of await runRound(order, load, times)) {
      outcomes.get(name)?.push(outcome);
    }
  }
  return outcomes;
}

async function runRound(trials: readonly Trial[], load: Load, times: Times) {
  const contestants: Contestant[] = [];
  try {
    for (const trial of trials) contestants.push(await Contestant.start(trial, load, times.width));
    for (const one of contestants) await one.keepBusy(times.warmUpMs);
    for (const one of contestants) await one.begin();
    for (let under = contestants; under.length > 0; under = under.filter(isUnder(times))) {
      for (const one of under) await one.keepBusy(one.isWatched ? times.measuredMs : 0);
    }
    const ended: { readonly name: string; readonly outcome: Outcome }[] = [];
    for (const one of contestants) ended.push({ name: one.trial.name, outcome: await one.end() });
    return ended;
  } finally {
    for (const one of contestants) await one.stop();
  }
}

function isUnder({ measuredMs }: Times): (one: Contestant) => boolean {
  return ({ usedMs }) => usedMs < measuredMs;
}

/** A server of one round, and the load that is aimed at it. */
class Contestant {
  #usedMs = 0;

  private constructor(
    readonly trial: Trial,
    private readonly server: Child,
    private readonly load: Load,
  ) {}

  static async start(trial: Trial, load: Load, width: number): Promise<Contestant> {
    const { name, server: settings, mix, kind, refuses, core = 'measured' } = trial;
    const server = await Child.start(import.meta.url, './server.js', { core, settings });
    const port = await server.ask<number>('port');
    await load.aim(name, { port, kind, mix, width, refuses });
    return new Contestant(trial, server, load);
  }

  /** CPU time since the beginning, or since the server was ready. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /** The delay of an event loop is one under load: such a server is measured without a break. */
  get isWatched(): boolean {
    return this.trial.server.watched === true;
  }

  /** For a slice, and for as many as it takes to use so much CPU time. */
  async keepBusy(cpuMs: number): Promise<void> {
    do {
      await this.load.run(this.trial.name, SLICE_MS);
      this.#usedMs = (await this.server.ask<number>('cpuUs')) / 1_000;
    } while (this.#usedMs < cpuMs);
  }

  async begin(): Promise<void> {
    await this.load.begin(this.trial.name);
    await this.server.ask('begin');
    this.#usedMs = 0;
  }

  async end(): Promise<Outcome> {
    const { name } = this.trial;
    const { answered, unexpected, perSecond, p99Ms } = await this.load.end(name);
    const cost = await this.server.ask<ServerCost>('end');
    if (unexpected > 0) throw new Error(`${name}: ${unexpected} unexpected answers`);
    return { ...cost, cpuUsPerRequest: cost.cpuUs / answered, perSecond, p99Ms };
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}
