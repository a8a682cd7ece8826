import type { Mutant } from './mutant.js';

const INDEX = 'src/revocation/revocation-index.ts';
const INDEX_SPEC = 'src/revocation/revocation-index.spec.ts';
const VERIFICATION = 'src/token-verification.ts';
const RACES = 'test/e2e/races.e2e-spec.ts';

export const indexMutants: readonly Mutant[] = [
  {
    name: 'a token that is as old as the newest cut is newer than all',
    patches: [
      {
        file: 'src/revocation/watermarks.ts',
        find: 'issuedAt > table.reachesTo',
        replace: 'issuedAt >= table.reachesTo',
      },
    ],
    spec: INDEX_SPEC,
    test: 'are held to exactly what the rules say, and once denied a token stays denied, whatever the clocks do',
  },
  {
    name: 'the word of GenAuth outweighs that a token was here before the cut',
    patches: [{ file: INDEX, find: 'presentedVersion < presentedBefore;', replace: 'false;' }],
    spec: 'test/e2e/older-than-the-cut.e2e-spec.ts',
    test: 'is refused though only the cache of the application was asked before, and GenAuth after it',
  },
  {
    name: 'a second cut of the same moment is none',
    patches: [
      {
        file: INDEX,
        find: 'this.#version += 1;',
        replace: '',
      },
    ],
    spec: INDEX_SPEC,
    test: 'made once more at the same time is another cut, for what was presented or asked between',
  },
  {
    name: 'a watermark spares what was issued at its very instant',
    patches: [
      {
        file: 'src/revocation/watermark-table.ts',
        find: 'issuedAt <= this.#number(at + REFUSED)',
        replace: 'issuedAt < this.#number(at + REFUSED)',
      },
    ],
    spec: INDEX_SPEC,
    test: 'denies what was issued at or before it, and nothing after',
  },
  {
    name: 'a watermark spares what does not say when it was issued',
    patches: [
      {
        file: 'src/revocation/watermarks.ts',
        find: 'const { issuedAt = -Infinity } = principal;',
        replace: 'const { issuedAt = Infinity } = principal;',
      },
    ],
    spec: INDEX_SPEC,
    test: 'denies what does not say when it was issued, though GenAuth vouches for it',
  },
  {
    name: 'coverage is not looked at',
    patches: [
      {
        file: INDEX,
        find: 'if (issuedAt > askedSince + standing.clockAheadMs || vouchedAt >= askedSince) return ACCEPTED;',
        replace: 'if (issuedAt !== undefined) return ACCEPTED;',
      },
    ],
    spec: INDEX_SPEC,
    test: 'leaves to GenAuth what was issued before the log began, and what does not say',
  },
  {
    name: 'coverage does not allow for the clock of GenAuth',
    patches: [
      {
        file: INDEX,
        find: 'issuedAt > askedSince + standing.clockAheadMs',
        replace: 'issuedAt > askedSince',
      },
    ],
    spec: INDEX_SPEC,
    test: 'asks about what may be older because GenAuth’s clock may be ahead',
  },
  {
    name: 'a full index goes on accepting',
    patches: [{ file: INDEX, find: ' && !this.full;', replace: ';' }],
    spec: INDEX_SPEC,
    test: 'turns away %s, says so, and accepts nothing on its own word',
  },
  {
    name: 'a full index makes room by dropping what it turns away',
    patches: [
      {
        file: INDEX,
        find: 'this.#fullUntil = Math.max(this.#fullUntil, keepUntilAt + this.#outliveMs);',
        replace: '',
      },
    ],
    spec: INDEX_SPEC,
    test: 'never holds more than the limit, and never turns away in silence',
  },
  {
    name: 'entries do not outlive what they deny',
    patches: [{ file: INDEX, find: 'OUTLIVE_MS = 5 * 60_000', replace: 'OUTLIVE_MS = 0' }],
    spec: INDEX_SPEC,
    test: '%s stays until the tolerance and five minutes more have passed',
  },
  {
    name: 'what was clear once stays clear',
    patches: [
      {
        file: INDEX,
        find: 'if (found.clearVersion === this.#version) return undefined;',
        replace: 'if (found.clearVersion !== undefined) return undefined;',
      },
    ],
    spec: 'test/e2e/at-once.e2e-spec.ts',
    test: 'refuses a token whose %s was cut after it had been clear of everything known',
  },
  {
    name: 'a token is as old as its last request',
    patches: [
      {
        file: 'src/revoker.ts',
        find: 'presentedVersion: Math.min(presented, presentedVersion),',
        replace: 'presentedVersion: presented,',
      },
    ],
    spec: 'test/e2e/revocation.e2e-spec.ts',
    test: 'refuses a principal that was accepted here before the cut, and forgotten since',
  },
  {
    name: 'a clock that is set back makes the log cover what it has forgotten',
    patches: [
      {
        file: 'src/core/clock.ts',
        find: 'if (now > seen) seen = now;',
        replace: 'seen = now;',
      },
    ],
    spec: INDEX_SPEC,
    test: 'does not come back when the clock is set back',
  },
  {
    name: 'what was dropped as dead is alive when a clock is set back',
    patches: [
      {
        file: INDEX,
        find: 'if (principal.expiresAt <= this.#droppedThrough)',
        replace: 'if (principal.expiresAt <= -this.#droppedThrough)',
      },
    ],
    spec: INDEX_SPEC,
    test: 'outlasts a clock that is set forward and back',
  },
  {
    name: 'GenAuth’s word counts for ever while the log is stale',
    patches: [
      {
        file: INDEX,
        find: 'vouchedAt >= askedSince && vouchedAt <= now',
        replace: 'vouchedAt > 0',
      },
    ],
    spec: INDEX_SPEC,
    test: 'accepts what GenAuth vouched for lately while %s',
  },
];

export const roadMutants: readonly Mutant[] = [
  {
    name: 'the denials are looked at before the last await',
    patches: [
      {
        file: VERIFICATION,
        find: 'if (!doubt) return this.#accept(verified, token);',
        replace:
          'if (!doubt) {\n        await new Promise((resolve) => setImmediate(resolve));\n        return this.#accept(verified, token);\n      }',
      },
    ],
    spec: RACES,
    test: 'is outlived by no acceptance, in whatever order promises settle',
  },
  {
    name: 'a verification joins one that began before the newest revocation',
    patches: [
      {
        file: 'src/flights.ts',
        find: 'if (current?.version === version) return current.landed;',
        replace: 'if (current) return current.landed;',
      },
    ],
    spec: RACES,
    test: 'lets nobody join a question that was asked before it',
  },
  {
    name: 'nothing is denied here before the log has answered',
    patches: [
      {
        file: 'src/token-revoker.ts',
        find: 'this.revoker.deny(tombstone ? [tombstone] : [], task.cause);',
        replace: '',
      },
      {
        file: 'src/token-revoker.ts',
        find: 'this.revoker.deny(lasting, task.cause);',
        replace: '',
      },
    ],
    spec: 'test/e2e/guarantees.e2e-spec.ts',
    test: 'G3 read your writes: denied here from the call on, acknowledged or not',
  },
  {
    name: 'a JWT is named by its whole spelling',
    patches: [
      {
        file: 'src/verify/compact-jws.ts',
        find: 'id: signedKey(signingInput),',
        replace: 'id: opaqueKey(text),',
      },
    ],
    spec: 'test/e2e/guarantees.e2e-spec.ts',
    test: 'G13 spelling: every spelling of a revoked token is refused everywhere',
  },
];
