import { Child } from '../common/child.js';
import type { Row, Section } from '../common/report.js';

/** How much is measured. */
export interface InProcessSettings {
  /** How many tokens are remembered. */
  readonly sizes: readonly number[];
  /** Up to which of these there is a second service, with revocations. */
  readonly bothUpTo: number;
  readonly revocations: number;
  /** Tokens that are measured with. */
  readonly sample: number;
  readonly rounds: number;
  /** Operations of a run. */
  readonly operations: number;
  readonly peers: boolean;
}

/** Only to see that everything runs. */
export const SMOKE: InProcessSettings = {
  sizes: [200, 400],
  bothUpTo: 200,
  revocations: 1_000,
  sample: 200,
  rounds: 2,
  operations: 10,
  peers: false,
};

export const QUICK: InProcessSettings = {
  sizes: [1_000, 10_000],
  bothUpTo: 1_000,
  revocations: 1_000_000,
  sample: 1_000,
  rounds: 7,
  operations: 100,
  peers: true,
};

export const FULL: InProcessSettings = {
  sizes: [1_000, 100_000, 1_000_000],
  bothUpTo: 100_000,
  revocations: 1_000_000,
  sample: 20_000,
  rounds: 25,
  operations: 100,
  peers: true,
};

const REMARKS = [
  'One process, one call after the other; the figure is CPU time. The contenders take turns in short rounds; the ratio is the middle of the ratios of each round.',
  'Everybody checks signature, issuer, audience and expiry, unless it says otherwise; only nestjs-genauth knows who was revoked, and refuses ID tokens, JSON that names a member twice, and other spellings of a token.',
  'Except for fast-jwt with its cache nobody else remembers: a token seen before costs as much as a new one. In turns with so many others nobody finds anything warm in the caches of the processor, and the more memory one touches the more that costs: as between requests, but by no fixed measure.',
];

export async function inProcess(settings: InProcessSettings): Promise<Section> {
  const child = await Child.start(import.meta.url, './process.js', {
    core: 'measured',
    settings,
    nodeOptions: ['--max-old-space-size=12000'],
  });
  const rows = await child.ask<Row[]>('measure');
  await child.stop();
  return { name: 'in-process', title: 'In process', remarks: REMARKS, rows };
}
