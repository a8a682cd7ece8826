import { installPeers } from './common/peers.js';
import { COLUMNS, cellsOf, printTable } from './common/report.js';
import { startUp, QUICK } from './start-up/section.js';
import { signatures, QUICK as Q2 } from './signatures/section.js';

installPeers();
for (const f of [() => startUp(QUICK), () => signatures(Q2)]) {
console.time('t');
const s = await f();
printTable(s.title, COLUMNS, s.rows.map(cellsOf));
console.timeEnd('t');
}
