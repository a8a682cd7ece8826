import type { Contender } from '../common/rounds.js';
import type { Verify } from './verifiers.js';

/** Tokens for the runs: a list that is walked through, again from its start when it ends, or what is made each time. */
export type Supply = readonly string[] | (() => readonly string[] | Promise<readonly string[]>);

/** Judges the tokens one after the other; every one is to be accepted. */
export function accepting(
  name: string,
  verify: Verify,
  operations: number,
  supply: Supply,
): Contender {
  return contender(name, operations, supply, async (tokens) => {
    for (const token of tokens) {
      const pending = verify(token);
      // A contender that answers at once is not made to wait.
      if (pending instanceof Promise) await pending;
    }
  });
}

/** As `accepting`; every one is to be refused. */
export function refusing(
  name: string,
  verify: Verify,
  operations: number,
  supply: Supply,
): Contender {
  return contender(name, operations, supply, async (tokens) => {
    let accepted = 0;
    for (const token of tokens) {
      try {
        const pending = verify(token);
        if (pending instanceof Promise) await pending;
        accepted += 1;
      } catch {
        // As it should be.
      }
    }
    if (accepted > 0) throw new Error(`${name} accepted ${accepted} tokens that are not good`);
  });
}

function contender(
  name: string,
  operations: number,
  supply: Supply,
  judge: (tokens: readonly string[]) => Promise<void>,
): Contender {
  let tokens: readonly string[] = [];
  let place = 0;
  return {
    name,
    operations,
    async prepare() {
      if (typeof supply === 'function') {
        tokens = await supply();
        return;
      }
      if (place + operations > supply.length) place = 0;
      tokens = supply.slice(place, place + operations);
      place += operations;
    },
    async run() {
      if (tokens.length !== operations) throw new Error(`${name} needs ${operations} tokens`);
      await judge(tokens);
    },
  };
}
