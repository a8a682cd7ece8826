import { Controller, HttpCode, HttpException, HttpStatus, Post, Req, Res } from '@nestjs/common';

import { publishNews } from '../core/channels.js';
import { TokenError } from '../core/errors.js';
import { isJsonObject, isName } from '../core/json.js';
import type { HttpRequest } from '../http/bearer.js';
import { Intake } from '../intake.js';
import { LogoutTokenVerifier } from './logout-token.verifier.js';
import { FORM, mediaTypeOf } from './raw-body.js';
import { RefusedNews } from './refused-news.js';
import { answering, type DoorResponse } from './route.js';

/** Takes logout tokens (OIDC Back-Channel Logout 1.0 §2.5) and answers as §2.8 wants it. */
@Controller()
export class BackchannelLogoutController {
  constructor(
    private readonly tokens: LogoutTokenVerifier,
    private readonly intake: Intake,
  ) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  async logout(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: DoorResponse,
  ): Promise<void> {
    response.header('Cache-Control', 'no-store');
    await answering('backchannelLogout', response, () => this.#take(request));
  }

  async #take(request: HttpRequest): Promise<void> {
    try {
      const news = await this.tokens.verify(logoutTokenIn(request));
      if ((await this.intake.take(news)) === 'taken') return;
    } catch (error) {
      if (!(error instanceof TokenError || error instanceof RefusedNews)) throw error;
      publishNews({ source: 'backchannelLogout', outcome: 'refused', detail: error.message });
      throw refusal('told' in error ? error.told : undefined);
    }
    // The last rule of §2.6; what the first one of the same name has cut stays so.
    throw refusal();
  }
}

function logoutTokenIn(request: HttpRequest): string {
  const { body } = request;
  const isForm = mediaTypeOf(request) === FORM;
  const token = isForm && isJsonObject(body) ? body['logout_token'] : undefined;
  if (isName(token)) return token;
  const expected = 'a form with one logout_token is expected';
  throw new RefusedNews(expected, expected);
}

function refusal(told = 'the logout token is not accepted'): HttpException {
  const body = { error: 'invalid_request', error_description: told };
  return new HttpException(body, HttpStatus.BAD_REQUEST);
}
