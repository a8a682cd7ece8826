import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import type { Ear, Heard } from './listener.js';

/** Processes that listen. */
export class Crowd {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  static async gather(size: number, url: string, ears: readonly Ear[]): Promise<Crowd> {
    const env = { ...process.env, REDIS_URL: url, EARS: ears.join(',') };
    const children = Array.from({ length: size }, () =>
      fork(new URL('listener.js', import.meta.url), { env, serialization: 'advanced' }),
    );
    await Promise.all(children.map((child) => once(child, 'message')));
    return new Crowd(children);
  }

  /** What every process has heard since the last call. */
  async heard(ear: Ear): Promise<Heard[]> {
    return Promise.all(
      this.children.map(async (child) => {
        const answer = once(child, 'message');
        child.send(ear);
        const [heard] = (await answer) as [Heard];
        return heard;
      }),
    );
  }

  async leave(): Promise<void> {
    await Promise.all(
      this.children.map((child) => {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        return gone;
      }),
    );
  }
}
