import { answerParent, settingsOf } from '../common/child.js';
import { Identity } from '../common/identity.js';
import type { Row } from '../common/report.js';
import * as cases from './cases.js';
import { Filled } from './filled.js';
import type { InProcessSettings } from './section.js';
import { LIMITS, ONLY_LIMIT, VERIFIERS } from './verifiers.js';

const settings = settingsOf<InProcessSettings>();

async function measure(): Promise<Row[]> {
  const identity = await Identity.start();
  const max = Math.max(...settings.sizes) * 2;
  const sample = await identity.mint({ alg: 'RS256', count: settings.sample });
  const verifiers = settings.peers ? VERIFIERS : LIMITS;
  const { rounds, operations } = settings;
  const setting: cases.Setting = { identity, rounds, operations, verifiers, sample };
  const none = await Filled.start(identity, sample, max);
  const many = await Filled.start(identity, sample, max);
  many.learn(settings.revocations);
  const rows: Row[] = [];
  for (const [place, size] of settings.sizes.entries()) {
    await none.fillTo(size);
    // Once for the compiler: the first circumstances are not to pay for all the others.
    if (place === 0) await ofSize({ ...setting, verifiers: ONLY_LIMIT }, none, true);
    rows.push(...(await ofSize(setting, none, place === 0)));
    if (size <= settings.bothUpTo) {
      await many.fillTo(size);
      if (place === 0) rows.push(...(await cases.denyCheck(setting, none, many)));
      rows.push(...(await ofSize(setting, many, false)));
    } else {
      // Twice as many tokens would only take twice as long.
      none.learn(settings.revocations);
      rows.push(...(await ofSize(setting, none, false)));
    }
  }
  await identity.stop();
  return rows;
}

/** @param first whether this is the place where everybody else is measured too */
async function ofSize(setting: cases.Setting, filled: Filled, first: boolean): Promise<Row[]> {
  const rows = [
    ...(await cases.remembered(setting, filled)),
    ...(await cases.secondSight(setting, filled)),
    ...(await cases.firstSeen(setting, filled, 'RS256', first)),
    ...(await cases.revoked(setting, filled)),
    ...(await cases.forged(setting, filled, first)),
  ];
  if (!first) return rows;
  return [
    ...rows,
    ...(await cases.rememberedByOthers(setting, filled)),
    ...(await cases.firstSeen(setting, filled, 'ES256', true)),
    ...(await cases.firstSeen(setting, filled, 'EdDSA', true)),
    ...(await cases.nonsense(setting, filled)),
  ];
}

answerParent({ measure });
