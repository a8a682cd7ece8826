import { parseArgs } from 'node:util';

import { hunt, unfit, uproot } from './hunt.js';
import { mutants } from './mutants.js';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const chosen = mutants.filter(({ name }) => name.includes(values.only));

const unusable = await unfit(chosen);
for (const { spec, test } of unusable) {
  console.log(`does not pass as it is: ${spec}: ${test}`);
}
let left = unusable.length;
if (left === 0) {
  for (const mutant of chosen) {
    const fate = await hunt(mutant);
    if (fate !== 'killed') left += 1;
    console.log(`${fate.padEnd(8)} ${mutant.name.padEnd(66)} ${mutant.spec}`);
  }
  console.log(left === 0 ? `all ${chosen.length} were killed` : `${left} were not killed`);
}
uproot();
process.exitCode = left === 0 && chosen.length > 0 ? 0 : 1;
