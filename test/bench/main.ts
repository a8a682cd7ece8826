import { installPeers } from './common/peers.js';
import { COLUMNS, cellsOf, printTable } from './common/report.js';
import { inProcess, QUICK } from './in-process/section.js';

installPeers();
console.time('t');
const s = await inProcess(QUICK);
printTable(s.title, COLUMNS, s.rows.map(cellsOf));
console.timeEnd('t');
