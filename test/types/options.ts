import type { DynamicModule } from '@nestjs/common';
import {
  GenAuthModule,
  type GenAuthModuleOptions,
  type GenAuthOptionsFactory,
  InProcessRevocationLog,
} from 'nestjs-genauth';
import { FakeGenAuth } from 'nestjs-genauth/testing';

import { type Equals, holds } from './equals.js';

const appHost = 'https://example.genauth.ai';
const one = { appId: 'one', appSecret: 'secret', appHost };

// One application, written flat.
GenAuthModule.forRoot(one);
GenAuthModule.forRoot({ appId: 'one', appHost, revocationEndPointAuthMethod: 'none' });
GenAuthModule.forRoot({
  ...one,
  issuer: [`${appHost}/oidc`, 'https://id.example.com/oidc'],
  audience: 'one',
  algorithms: ['RS256', 'ES256'],
  timeout: 1_000,
  revocation: { log: new InProcessRevocationLog(), whenStale: 'refuse' },
  isGlobal: false,
});

// Several applications, with what they share beside them.
GenAuthModule.forRoot({ applications: [one, { ...one, appId: 'two' }], timeout: 1_000 });

// Lists and objects that are frozen are as good.
GenAuthModule.forRoot({ ...one, issuer: ['a', 'b'] as const } as const);

// @ts-expect-error the two forms do not mix
GenAuthModule.forRoot({ ...one, applications: [one] });
// @ts-expect-error what belongs to an application stands with the application
GenAuthModule.forRoot({ applications: [one], audience: 'one' });
// @ts-expect-error a secret beside the list would be nobody's
GenAuthModule.forRoot({ applications: [one], appSecret: 'secret' });
// @ts-expect-error shared options are the module's, not an application's
GenAuthModule.forRoot({ applications: [{ ...one, timeout: 1_000 }] });
// @ts-expect-error an application has an id
GenAuthModule.forRoot({ appHost });
// @ts-expect-error an application has a host
GenAuthModule.forRoot({ appId: 'one' });
// @ts-expect-error nothing is configured
GenAuthModule.forRoot({});
// @ts-expect-error a symmetric algorithm would make the public key a secret
GenAuthModule.forRoot({ ...one, algorithms: ['HS256'] });
// @ts-expect-error unsigned tokens are never accepted
GenAuthModule.forRoot({ ...one, algorithms: ['none'] });
// @ts-expect-error a slip of the pen
GenAuthModule.forRoot({ ...one, apphost: appHost });
// @ts-expect-error undefined is not a value: a missing environment variable shows when compiling
GenAuthModule.forRoot({ ...one, issuer: undefined });
// @ts-expect-error durations are numbers of milliseconds
GenAuthModule.forRoot({ ...one, timeout: '3s' });
// @ts-expect-error whoever fails open spells it right
GenAuthModule.forRoot({ ...one, revocation: { whenStale: 'ignore' } });

// Made later.
class Factory implements GenAuthOptionsFactory {
  createGenAuthOptions(): GenAuthModuleOptions {
    return one;
  }
}
GenAuthModule.forRootAsync({ useClass: Factory });
GenAuthModule.forRootAsync({ useExisting: Factory });
GenAuthModule.forRootAsync({ useFactory: () => one });
GenAuthModule.forRootAsync({ useFactory: () => Promise.resolve({ applications: [one] }) });
// @ts-expect-error what the factory makes is held to the same rules
GenAuthModule.forRootAsync({ useFactory: () => ({ appHost }) });
class Maker {
  make(): GenAuthModuleOptions {
    return one;
  }
}
// @ts-expect-error a class that does not implement GenAuthOptionsFactory
GenAuthModule.forRootAsync({ useClass: Maker });

holds<Equals<ReturnType<typeof GenAuthModule.forRoot>, DynamicModule>>();
holds<Equals<Parameters<typeof GenAuthModule.forRoot>['length'], 1>>();

// What the stand-in says of its application is what the module takes.
export async function standIn(): Promise<DynamicModule> {
  const genauth = await FakeGenAuth.start();
  const { applications, application } = genauth;
  GenAuthModule.forRoot({ applications: applications.map((each) => each.options()) });
  return GenAuthModule.forRoot(application.options());
}
