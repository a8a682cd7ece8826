import type { Revocation } from '../../core/revocation.js';
import { factsIn } from './entries.js';
import type { JetStreamLink, StoredMessage } from './jetstream-link.js';
import type { LogSetup } from './log-setup.js';

/** Messages that are asked for at once. */
const MOST_AT_ONCE = 256;

/**
 * The messages of the stream up to one that is known to be in it, in pages and in order; some may come
 * twice, and some that are newer.
 *
 * A question is asked of each sequence, and answered with the next message there is: what lies between is
 * gone for good. Where most are gone few are asked, since they all give the same answer.
 *
 * @param after the sequence of the last message that is known already
 */
export async function* messagesThrough(
  link: JetStreamLink,
  end: number,
  after = 0,
): AsyncGenerator<readonly StoredMessage[]> {
  let width = 1;
  for (let from = after + 1; from <= end;) {
    const count = Math.min(width, end - from + 1);
    const answers = await link.next(Array.from({ length: count }, (_, place) => from + place));
    const last = (answers.at(-1) as StoredMessage).sequence;
    const distinct = new Map(answers.map((message) => [message.sequence, message]));
    const known = [...distinct.values()].filter(({ sequence }) => sequence <= last);
    yield known.toSorted((one, other) => one.sequence - other.sequence);
    width = Math.min(MOST_AT_ONCE, 2 * known.length);
    from = last + 1;
  }
}

/** The facts in the log, page by page: what a healer compares with. */
export async function* factsInLog(
  link: JetStreamLink,
  { clock, proofs, maxTokenLifetimeMs }: LogSetup,
): AsyncGenerator<readonly Revocation[]> {
  const end = await link.publish(proofs, '');
  for await (const messages of messagesThrough(link, end)) {
    yield messages.flatMap(({ text }) => factsIn(text, clock.wall(), maxTokenLifetimeMs));
  }
}
