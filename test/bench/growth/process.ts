import { answerParent, settingsOf } from '../common/child.js';
import { Identity } from '../common/identity.js';
import { Meter, type Step } from './meter.js';
import { type Subject, type SubjectName, SUBJECTS } from './subjects.js';

/** What a process that watches one thing grow is told. */
export interface GrowthTask {
  readonly subject: SubjectName;
  readonly steps: readonly number[];
  /** Whether what is there before anything is added counts as well. */
  readonly fromNothing: boolean;
}

/** What became of it. */
export interface Grown {
  readonly steps: readonly Step[];
  readonly faults: number;
}

const { subject: name, steps, fromNothing } = settingsOf<GrowthTask>();

async function grow(): Promise<Grown> {
  const identity = await Identity.start();
  const other = await warmUp(identity);
  const empty = new Meter();
  const subject = await SUBJECTS[name](identity, Math.max(...steps));
  const meter = fromNothing ? empty : new Meter();
  for (const count of steps) await meter.step(count, subject.grow);
  const faults = (await subject.faults()) + (await other.faults());
  await identity.stop();
  return { steps: meter.steps, faults };
}

/** Code is loaded and compiled at the first use; that is not what is measured, nor is it to go meanwhile. */
async function warmUp(identity: Identity): Promise<Subject> {
  const other = await SUBJECTS[name](identity, 1_000);
  await other.grow(1_000);
  return other;
}

answerParent({ grow });
