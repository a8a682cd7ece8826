import {
  HttpCode,
  HttpException,
  HttpStatus,
  Injectable,
  type OnModuleInit,
  PayloadTooLargeException,
  Post,
  Req,
  Res,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

import { LONGEST_TOKEN } from '../verify/compact-jws.js';
import { bodyOf, leaveUnread, mediaTypeOf, type RawRequest } from './raw-body.js';
import { answering, type DoorResponse } from './route.js';
import { SecurityEventReceiver } from './security-event.receiver.js';
import { SetRefusal } from './set-refusal.js';
import { Transmitters } from './transmitters.js';

const SET = 'application/secevent+jwt';

/**
 * Takes SETs that are pushed (RFC 8935): 202 when what one says is durable, 400 with `{ err, description }`
 * when it is refused, 503 when it has to come again.
 */
@Injectable()
export class SecurityEventsController implements OnModuleInit {
  constructor(
    private readonly receiver: SecurityEventReceiver,
    private readonly transmitters: Transmitters,
    private readonly host: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    leaveUnread(this.host.httpAdapter, SET);
  }

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  async push(
    @Req() request: RawRequest,
    @Res({ passthrough: true }) response: DoorResponse,
  ): Promise<void> {
    response.header('Cache-Control', 'no-store');
    if (mediaTypeOf(request) !== SET) throw new UnsupportedMediaTypeException();
    const text = await bodyOf(request, LONGEST_TOKEN);
    if (text === undefined) throw new PayloadTooLargeException();
    const { authorization } = request.headers;
    const shown = { authorization: typeof authorization === 'string' ? authorization : undefined };
    try {
      await answering('securityEvent', response, () =>
        this.receiver.take(text, { from: this.transmitters.all, shown }),
      );
    } catch (error) {
      if (!(error instanceof SetRefusal)) throw error;
      response.header('Content-Language', 'en');
      const { err, description } = error;
      throw new HttpException({ err, description }, HttpStatus.BAD_REQUEST);
    }
  }
}
