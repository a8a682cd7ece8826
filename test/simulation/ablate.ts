import { parseArgs } from 'node:util';

import { ablations, playAblated } from './ablations.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    only: { type: 'string', default: '' },
  },
});

for (const ablation of ablations.filter(({ name }) => name.includes(values.only))) {
  const { broken, late, worstMs } = await playAblated(ablation, '--seeds', values.seeds);
  if (broken.length === 0) process.exitCode = 1;
  console.log(
    `${ablation.name.padEnd(34)} ${broken.length} of ${values.seeds} seeds broken, first ${broken[0] ?? '-'}; ${late} late acceptances, the latest ${worstMs} ms after`,
  );
}
