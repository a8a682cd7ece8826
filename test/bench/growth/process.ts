import { answerParent, settingsOf } from '../common/child.js';
import { Identity } from '../common/identity.js';
import { Meter, type Step } from './meter.js';
import { type SubjectName, SUBJECTS } from './subjects.js';

/** What a process that watches one thing grow is told. */
export interface GrowthTask {
  readonly subject: SubjectName;
  readonly steps: readonly number[];
}

/** What became of it. */
export interface Grown {
  readonly steps: readonly Step[];
  readonly faults: number;
}

const { subject: name, steps } = settingsOf<GrowthTask>();

async function grow(): Promise<Grown> {
  const identity = await Identity.start();
  const subject = await SUBJECTS[name](identity, Math.max(...steps));
  // What is made at the first use only is not what one more costs.
  await subject.grow(1_000);
  const meter = new Meter();
  for (const count of steps) await meter.step(count, subject.grow);
  const faults = await subject.faults();
  await identity.stop();
  return { steps: meter.steps, faults };
}

answerParent({ grow });
