import type { Demands, Principal, TokenService } from 'nestjs-genauth';

// The one place of the benchmark that knows inner parts of the library.
import { Revoker } from '../../../dist/revoker.js';
import type { Service } from '../common/service.js';

/** A service that answers about remembered tokens without a promise, or one that does not. */
type Door = TokenService & {
  verifyAtOnce?(token: string, demands: Demands): Principal | undefined;
};

/** Verifies as the guard does: at once when the token is remembered, if the service can. */
export function guardRoadOf(tokens: Door): (token: string) => Principal | Promise<Principal> {
  if (!tokens.verifyAtOnce) return (token) => tokens.verify(token);
  return (token) => tokens.verifyAtOnce?.(token, {}) ?? tokens.verify(token);
}

/** What the revocations say of a principal, and nothing but that. Throws unless it is accepted. */
export function denyCheckOf({ part }: Service): (principal: Principal) => void {
  const revoker = part(Revoker);
  return (principal) => {
    const verdict = revoker.verdict({ principal });
    if (verdict.is !== 'accepted') throw new Error(`the token is ${verdict.is}`);
  };
}
