import { randomBytes } from 'node:crypto';

import type { Revocation } from 'nestjs-genauth';

/** The revocation of a token nobody knows, which expires within the next hour. */
export function randomFact(): Revocation {
  const expiresAt = Date.now() + 60_000 + Math.floor(Math.random() * 3_540_000);
  const key = randomBytes(16).toString('base64url');
  return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
}
