import type { Principal, TokenService } from 'nestjs-genauth';

// The one place of the benchmark that knows inner parts of the library.
import { Revoker } from '../../../dist/revoker.js';
import type { Service } from '../common/service.js';

/** Verifies as the guard does: at once where nobody has to be asked. */
export function guardRoadOf(
  tokens: TokenService,
): (token: string) => Principal | Promise<Principal> {
  return (token) => tokens.verifyAtOnce(token) ?? tokens.verify(token);
}

/** What the revocations say of a principal, and nothing but that. Throws unless it is accepted. */
export function denyCheckOf({ part }: Service): (principal: Principal) => void {
  const revoker = part(Revoker);
  return (principal) => {
    const verdict = revoker.verdict({ principal });
    if (verdict.is !== 'accepted') throw new Error(`the token is ${verdict.is}`);
  };
}
