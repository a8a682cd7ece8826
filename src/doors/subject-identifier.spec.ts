import { describe, expect, it } from '@jest/globals';

import { mentionsIn } from './subject-identifier.js';

const nobody = () => Promise.resolve(undefined);
const opaque = (id: string) => ({ format: 'opaque', id });
const ada = { format: 'iss_sub', iss: 'https://issuer.example.com', sub: 'ada' };

describe('mentionsIn', () => {
  it.each([
    ['iss_sub', ada, [{ issuer: ada.iss, id: 'ada', kind: 'subject' }]],
    ['opaque', opaque('x'), [{ issuer: undefined, id: 'x', kind: 'subject' }]],
    ['email', { format: 'email', email: 'x' }, []],
    ['no format', { id: 'x' }, []],
    ['a format that is no string', { format: ['opaque'], id: 'x' }, []],
    ['an empty id', opaque(''), []],
    ['an id that is no string', { format: 'opaque', id: 5 }, []],
    ['constructor', { format: 'constructor', id: 'x' }, []],
    ['an empty complex subject', { format: 'complex' }, []],
    ['a complex subject of words', { format: 'complex', user: 'ada', session: 'x' }, []],
    ['aliases that are no list', { format: 'aliases', identifiers: opaque('x') }, []],
  ])('names the user of %s', async (_, subject, mentions) => {
    expect(await mentionsIn(subject, 'subject', nobody)).toEqual(mentions);
  });

  it('asks for what it cannot tell, once for each alias, and takes no empty answer', async () => {
    const asked: unknown[] = [];
    const lookUp = (identifier: object) => {
      asked.push(identifier);
      return Promise.resolve(asked.length === 1 ? 'ada' : '');
    };
    const identifiers = [{ format: 'email', email: 'x' }, { format: 'did', url: 'did:x' }, ada];
    const mentions = await mentionsIn({ format: 'aliases', identifiers }, 'subject', lookUp);
    expect(asked).toEqual(identifiers.slice(0, 2));
    expect(mentions.map(({ id }) => id)).toEqual(['ada', 'ada']);
  });

  it('asks nobody about aliases of aliases', async () => {
    const inner = { format: 'aliases', identifiers: [opaque('x')] };
    const subject = { format: 'aliases', identifiers: [inner, 'x', null] };
    expect(await mentionsIn(subject, 'subject', () => Promise.resolve('ada'))).toEqual([]);
  });

  it('reads no more aliases than one subject has', async () => {
    const identifiers = Array.from({ length: 1_000 }, (_, n) => opaque(`${n}`));
    expect(await mentionsIn({ format: 'aliases', identifiers }, 'subject', nobody)).toHaveLength(
      16,
    );
  });

  it('narrows a user to what names no session, when a session is what ended', async () => {
    const subject = { format: 'complex', user: ada, session: opaque('sid') };
    expect(await mentionsIn(subject, 'session', nobody)).toEqual([
      { issuer: undefined, id: 'sid', kind: 'session' },
      { issuer: ada.iss, id: 'ada', kind: 'subject', isNarrowed: true },
    ]);
    expect(await mentionsIn(subject, 'subject', nobody)).toEqual([
      { issuer: ada.iss, id: 'ada', kind: 'subject' },
    ]);
  });
});
