import { describe, expect, it } from '@jest/globals';

import { checkDemands, type Demands } from './demands.js';

describe('demands', () => {
  it.each([
    [{ scope: ['admin'] }, /'scope' .*audience, scopes, maxAge, appId/],
    [{ audiences: ['a'] }, /'audiences'/],
    [{ fresh: { maxAge: 0 } }, /'fresh'/],
    [{ constructor: undefined }, /'constructor'/],
    [{ scopes: 'admin' }, /'scopes' must be a list of strings/],
    [{ scopes: [undefined] }, /'scopes'/],
    [{ audience: [1] }, /'audience'/],
    [{ maxAge: '1s' }, /'maxAge' must be milliseconds/],
    [{ maxAge: NaN }, /'maxAge'/],
    [{ maxAge: -1 }, /'maxAge'/],
    [{ appId: 7 }, /'appId'/],
  ])('that nobody could meet, or anybody, are refused by name: %j', (demands, message) => {
    expect(() => checkDemands(demands as never)).toThrow(TypeError);
    expect(() => checkDemands(demands as never)).toThrow(message);
  });

  it.each<Demands>([
    {},
    { scopes: undefined, audience: undefined, maxAge: undefined, appId: undefined },
    { scopes: [], audience: 'a', maxAge: 0, appId: 'a' },
    { scopes: ['a'], audience: ['a', 'b'], maxAge: Infinity },
  ])('that can be met are taken: %j', (demands) => {
    expect(() => checkDemands(demands)).not.toThrow();
  });
});
