import { Child, type Core } from '../common/child.js';
import type { Load, Mix, TokenKind } from './load.js';
import type { ServerCost, ServerSettings } from './server.js';

/** One server under one load. */
export interface Trial {
  readonly name: string;
  readonly server: ServerSettings;
  readonly mix: Mix;
  readonly kind: TokenKind;
  readonly core?: Core;
  readonly note?: string;
}

export interface Times {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly width: number;
}

/** What one trial came to in one round. */
export interface Outcome extends ServerCost {
  readonly cpuUsPerRequest: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** More requests each second than any server here answers. */
const MOST_PER_SECOND = 20_000;

/** Tokens that are needed if so many of a hundred requests bring one that the server has not seen. */
export function freshTokens({ warmUpMs, measuredMs }: Times, ofHundred: number): number {
  return Math.ceil(((warmUpMs + measuredMs) / 1_000) * MOST_PER_SECOND * (ofHundred / 100));
}

/** A new server, warmed up, under load for a while. */
export async function runTrial(trial: Trial, load: Load, times: Times): Promise<Outcome> {
  const { server: settings, mix, kind, core = 'measured' } = trial;
  const server = await Child.start(import.meta.url, './server.js', { core, settings });
  try {
    const port = await server.ask<number>('port');
    await load.aim({ port, kind, mix, width: times.width });
    await load.run(times.warmUpMs);
    await server.ask('begin');
    const { answered, unexpected, perSecond, p99Ms } = await load.run(times.measuredMs);
    const cost = await server.ask<ServerCost>('end');
    if (unexpected > 0) throw new Error(`${trial.name}: ${unexpected} unexpected answers`);
    return { ...cost, cpuUsPerRequest: cost.cpuUs / answered, perSecond, p99Ms };
  } finally {
    await server.stop();
  }
}

/** All trials in turn, another one first in each round. */
export async function runTrials(
  trials: readonly Trial[],
  load: Load,
  times: Times,
): Promise<Map<string, Outcome[]>> {
  const outcomes = new Map<string, Outcome[]>(trials.map(({ name }) => [name, []]));
  for (let round = 0; round < times.rounds; round += 1) {
    for (let turn = 0; turn < trials.length; turn += 1) {
      const trial = trials[(turn + round) % trials.length] as Trial;
      outcomes.get(trial.name)?.push(await runTrial(trial, load, times));
    }
  }
  return outcomes;
}
