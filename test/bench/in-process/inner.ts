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

type Checks = (principal: Principal, place: number) => void;

/**
 * What the revocations say of a principal, and nothing but that, looked up anew each time. Throws unless it is
 * accepted.
 *
 * @param isFirst whether each look is as the first one since there is a cut that could reach the token
 */
export function denyCheckOf({ part }: Service, isFirst = false): Checks {
  const revoker = part(Revoker);
  const kept: { principal: Principal; clearVersion: number }[] = [];
  return (principal, place) => {
    const known = isFirst ? undefined : kept[place];
    const verified = known ?? (kept[place] = { principal, clearVersion: -1 });
    verified.clearVersion = -1;
    const verdict = revoker.verdict(verified);
    if (verdict.is !== 'accepted') throw new Error(`the token is ${verdict.is}`);
  };
}
