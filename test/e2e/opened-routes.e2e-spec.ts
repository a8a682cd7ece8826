import { Controller, Get, UseGuards } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  Audience,
  BearerToken,
  CurrentPrincipal,
  Fresh,
  GenAuthGuard,
  GenAuthModule,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
} from '../../src/index.js';
import { platforms } from '../harness/guarded-app.js';
import { type NestApp, startNestApp } from '../harness/nest-app.js';
import { Scene } from '../harness/scene.js';

@Controller('optional')
@UseGuards(GenAuthGuard)
@OptionalAuth()
class OptionalController {
  @Get('open')
  open() {
    return {};
  }

  @Get('scopes')
  @Scopes('book:write')
  scopes() {
    return {};
  }

  @Get('both')
  @OptionalAuth()
  @Scopes('book:write')
  both() {
    return {};
  }
}

@Controller('public')
@UseGuards(GenAuthGuard)
@Public()
class PublicController {
  @Get('open')
  open() {
    return {};
  }

  @Get('scopes')
  @Scopes('book:write')
  scopes() {
    return {};
  }

  @Get('audience')
  @Audience('another')
  audience() {
    return {};
  }

  @Get('fresh')
  @Fresh({ maxAge: 0 })
  fresh() {
    return {};
  }

  @Get('optional')
  @OptionalAuth()
  optional() {
    return {};
  }
}

@Controller('rewritten')
@UseGuards(GenAuthGuard)
class RewrittenController {
  @Get()
  who(@CurrentPrincipal() { sub }: Principal, @BearerToken() token: string) {
    return { sub, token };
  }
}

let scene: Scene;
let app: NestApp | undefined;

beforeEach(async () => {
  scene = await Scene.set();
});

afterEach(async () => {
  await app?.close();
  await scene.close();
});

describe.each(platforms)('on %s', (platform) => {
  it('a route that asks something of the token is not opened by its controller', async () => {
    const controllers = [OptionalController, PublicController];
    const guarded = await scene.start({}, { platform, controllers });
    const { access_token: token } = scene.genauth.signIn({ scope: 'book:read' });
    const statuses = async (path: string) => {
      const answers = [guarded.call(path), guarded.call(path, token), guarded.call(path, 'x.y.z')];
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    expect(await statuses('/optional/open')).toEqual([200, 200, 401]);
    expect(await statuses('/optional/scopes')).toEqual([401, 403, 401]);
    expect(await statuses('/optional/both')).toEqual([200, 403, 401]);
    expect(await statuses('/public/open')).toEqual([200, 200, 200]);
    expect(await statuses('/public/scopes')).toEqual([401, 403, 401]);
    expect(await statuses('/public/audience')).toEqual([401, 401, 401]);
    expect(await statuses('/public/fresh')).toEqual([401, 200, 401]);
    expect(await statuses('/public/optional')).toEqual([200, 200, 401]);
  });

  it('the token is the one that middleware leaves in the header', async () => {
    const [sent, other] = ['ann', 'bob'].map((sub) => scene.genauth.signIn({ sub }).access_token);
    let left: string | undefined;
    const controllers = [RewrittenController];
    const metadata = { imports: [GenAuthModule.forRoot(scene.options())], controllers };
    app = await startNestApp(metadata, {
      platform,
      clock: scene.clock,
      prepare: (nest) => {
        nest.use(
          ({ headers }: { headers: Record<string, unknown> }, _: unknown, next: () => void) => {
            if (left === undefined) delete headers['authorization'];
            else headers['authorization'] = left;
            next();
          },
        );
      },
    });
    scene.clock.advance(10_000);
    expect((await app.call('/rewritten', sent)).status).toBe(401);
    left = `Bearer ${other}`;
    const answers = [await app.call('/rewritten', sent), await app.call('/rewritten')];
    for (const { body } of answers) {
      expect(JSON.parse(body)).toEqual({ sub: 'bob', token: other });
    }
  });
});
