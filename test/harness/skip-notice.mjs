import { spawnSync } from 'node:child_process';

/** Says once for a run what is skipped for want of a server. */
export default function notice() {
  if (process.env['CI']) return;
  for (const server of ['redis-server', 'nats-server']) {
    if (spawnSync(server, ['--version']).status === 0) continue;
    console.warn(`${server} is not on the PATH: the tests that need it are skipped`);
  }
}
