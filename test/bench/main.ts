import { installPeers } from './common/peers.js';
import { COLUMNS, cellsOf, printTable } from './common/report.js';
import { requests, QUICK } from './requests/section.js';

installPeers();
console.time('t');
const s = await requests(QUICK);
printTable(s.title, COLUMNS, s.rows.map(cellsOf));
console.timeEnd('t');
