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

/** Durations are CPU time of the server: on a machine that others use it is warmed up all the same. */
export interface Times {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly width: number;
}

/** After so much of the clock it is asked how much CPU time the server has used. */
const STRETCH_MS = 200;

/** What one trial came to in one round. */
export interface Outcome extends ServerCost {
  readonly cpuUsPerRequest: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** More requests each second than any server here answers. */
const MOST_PER_SECOND = 60_000;

/** Tokens that are needed if so many of a hundred requests bring one that was never sent before. */
export function mostTokens({ warmUpMs, measuredMs }: Times, ofHundred: number): number {
  const longestMs = warmUpMs + measuredMs + 2 * STRETCH_MS;
  return Math.ceil((longestMs / 1_000) * MOST_PER_SECOND * (ofHundred / 100));
}

/** A new server, warmed up, under load for a while. */
export async function runTrial(trial: Trial, load: Load, times: Times): Promise<Outcome> {
  const { server: settings, mix, kind, core = 'measured' } = trial;
  const server = await Child.start(import.meta.url, './server.js', { core, settings });
  try {
    const port = await server.ask<number>('port');
    await load.aim({ port, kind, mix, width: times.width });
    await keepBusy(server, load, times.warmUpMs);
    await load.begin();
    await server.ask('begin');
    await keepBusy(server, load, times.measuredMs);
    const { answered, unexpected, perSecond, p99Ms } = await load.end();
    const cost = await server.ask<ServerCost>('end');
    if (unexpected > 0) throw new Error(`${trial.name}: ${unexpected} unexpected answers`);
    return { ...cost, cpuUsPerRequest: cost.cpuUs / answered, perSecond, p99Ms };
  } finally {
    await server.stop();
  }
}

/** Until the server has used so much CPU time. It counts from `begin`, or from when it was ready. */
async function keepBusy(server: Child, load: Load, cpuMs: number): Promise<void> {
  for (let usedUs = 0; usedUs < cpuMs * 1_000; usedUs = await server.ask<number>('cpuUs')) {
    await load.run(STRETCH_MS);
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
