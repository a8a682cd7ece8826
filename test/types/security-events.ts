import { SecurityEventsModule, type SecurityEventsOptions } from '../../src/doors.js';

const one = {
  issuer: 'https://transmitter.example.com',
  jwksUri: 'https://transmitter.example.com/jwks.json',
  audience: 'https://api.example.com',
};

SecurityEventsModule.forRoot(one);
SecurityEventsModule.forRoot({ ...one, path: false, poll: { endpoint: 'https://x.example.com' } });
SecurityEventsModule.forRoot({
  transmitters: [one, { ...one, appId: ['a', 'b'] }],
  path: 'signals',
});
SecurityEventsModule.forRootAsync({ path: 'signals', useFactory: () => Promise.resolve(one) });
SecurityEventsModule.forRoot({
  issuer: one.issuer,
  jwksUri: one.jwksUri,
  audience: [one.audience],
  map: (type) => (type === 'x' ? 'nothing' : undefined),
  mapSubject: ({ email }) => Promise.resolve(String(email)),
});

// @ts-expect-error an issuer has keys
export const noKeys: SecurityEventsOptions = { issuer: 'x', audience: 'y' };
// @ts-expect-error one transmitter or several
export const both: SecurityEventsOptions = { ...one, transmitters: [one] };
// @ts-expect-error the word of an effect
SecurityEventsModule.forRoot({ ...one, map: () => 'revoke' });
// @ts-expect-error no symmetric algorithms
SecurityEventsModule.forRoot({ ...one, algorithms: ['HS256'] });
// @ts-expect-error `true` is no route
SecurityEventsModule.forRoot({ ...one, path: true });
