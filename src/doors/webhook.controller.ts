import {
  BadRequestException,
  Controller,
  HttpCode,
  HttpStatus,
  InternalServerErrorException,
  PayloadTooLargeException,
  Post,
  Req,
  Res,
  UnauthorizedException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';

import { publishAlarm, publishNews } from '../core/channels.js';
import { isName } from '../core/json.js';
import { ResolvedOptions } from '../genauth.options.js';
import type { HttpRequest } from '../http/bearer.js';
import { Intake, type News, type NewsCut } from '../intake.js';
import { MOST_CUTS, newsCutsOf } from './event-cuts.js';
import { judgeWebhook, type UserEvent } from './judge-webhook.js';
import { RefusedNews } from './refused-news.js';
import { answering, type DoorResponse } from './route.js';
import { isAuthentic, isOversized, isReadable, payloadOf } from './webhook-request.js';
import { ResolvedWebhook } from './webhook.options.js';

const SOURCE = 'webhook';

/** Takes the webhooks of GenAuth. */
@Controller()
export class WebhookController {
  constructor(
    private readonly options: ResolvedWebhook,
    private readonly shared: ResolvedOptions,
    private readonly intake: Intake,
  ) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  async receive(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: DoorResponse,
  ): Promise<void> {
    this.#refuseStrangers(request);
    const event = eventIn(request);
    const news = event ? await this.#newsOf(event) : { cuts: [] };
    await answering(SOURCE, response, () => this.intake.take({ source: SOURCE, ...news }));
  }

  #refuseStrangers(request: HttpRequest): void {
    if (!isAuthentic(request, this.options)) {
      refused('no header holds the secret');
      throw new UnauthorizedException();
    }
    if (isOversized(request, this.options.maxBodyBytes)) {
      refused('the body is larger than maxBody');
      throw new PayloadTooLargeException();
    }
    if (!isReadable(request)) {
      refused('the content type is neither JSON nor a form');
      throw new UnsupportedMediaTypeException();
    }
  }

  async #newsOf(event: UserEvent): Promise<Pick<News, 'cuts' | 'reason'>> {
    const { applications } = this.shared;
    const mapped = await this.#mapped(event);
    if (mapped) return { cuts: mapped };
    const judged = judgeWebhook(event, this.options.passwordChanged);
    if (!judged) {
      const detail = 'an event that ends access does not say whose';
      publishNews({ source: SOURCE, outcome: 'not_understood', detail });
      throw new BadRequestException();
    }
    if (judged.length > MOST_CUTS) {
      refused(`more than ${MOST_CUTS} users`);
      throw new PayloadTooLargeException();
    }
    const cuts = newsCutsOf(judged, applications) ?? [];
    // Only a name that the table knows has cuts.
    return { cuts, ...(cuts.length > 0 && { reason: event.name }) };
  }

  /** What the application says of the event. What it throws may hold anything, so nobody is told of that. */
  async #mapped(event: UserEvent): Promise<NewsCut[] | undefined> {
    try {
      const cuts: unknown = await this.options.map(event);
      if (cuts === undefined) return undefined;
      const mapped = newsCutsOf(cuts, this.shared.applications);
      if (mapped) return mapped;
    } catch {
      throw failedMap('map threw');
    }
    throw failedMap('map returned something else than a list of cuts');
  }
}

/** What the message says has happened; undefined for a test, and for a user who came without an event. */
function eventIn(request: HttpRequest): UserEvent | undefined {
  try {
    const { eventName: name, data } = payloadOf(request);
    if (name === undefined) return undefined;
    if (isName(name)) return { name, data };
    throw new RefusedNews("'eventName' is no string");
  } catch (error) {
    if (!(error instanceof RefusedNews)) throw error;
    refused(error.message);
    throw new BadRequestException();
  }
}

function refused(detail: string): void {
  publishNews({ source: SOURCE, outcome: 'refused', detail });
}

function failedMap(detail: string): InternalServerErrorException {
  publishAlarm({ alarm: 'listener_failed', detail: `GenAuthWebhookModule: ${detail}` });
  publishNews({ source: SOURCE, outcome: 'unavailable', detail });
  return new InternalServerErrorException();
}
