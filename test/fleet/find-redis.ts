import { spawnSync } from 'node:child_process';

/** Makes sure that there is a `redis-server` on the PATH, or ends the process with one line that says what to do. */
export function findRedis(): void {
  if (isThere() || (isDebianRoot() && install())) return;
  console.error(
    "redis-server is not on the PATH: install Redis 7 ('apt-get install redis-server', 'brew install redis')",
  );
  process.exit(1);
}

function isThere(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

function isDebianRoot(): boolean {
  return process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0;
}

function install(): boolean {
  console.log('redis-server is not on the PATH: installing it with apt-get');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'redis-server']]) {
    if (spawnSync('apt-get', ['-q', ...args], { env, stdio: 'ignore' }).status !== 0) return false;
  }
  return isThere();
}
