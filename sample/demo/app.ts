import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Module,
  Post,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import {
  BearerToken,
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  type Principal,
  Public,
  RevocationError,
  Scopes,
  TokenService,
} from 'nestjs-genauth';

/** A revocation that could not be finished is not the caller's fault: 503, and what did take effect. */
@Catch(RevocationError)
class RevocationErrorFilter implements ExceptionFilter<RevocationError> {
  catch({ code, receipt }: RevocationError, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<{
      status(code: number): { json(body: unknown): void };
    }>();
    response.status(503).json({ code, receipt });
  }
}

@Controller()
@UseGuards(GenAuthGuard)
@UseFilters(RevocationErrorFilter)
class SessionController {
  constructor(private readonly tokens: TokenService) {}

  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub, scopes: who.scopes };
  }

  @Post('books')
  @Scopes('book:write')
  write() {
    return { written: true };
  }

  @Post('logout')
  logout(@BearerToken() token: string) {
    return this.tokens.revoke(token);
  }

  @Public()
  @Post('signout')
  signOut(@Body() body: { refresh_token?: string }) {
    return this.tokens.revoke(body.refresh_token ?? '', { tokenTypeHint: 'refresh_token' });
  }
}

/** The application of the demonstration, against whichever GenAuth the options name. */
export function demoModule(options: GenAuthModuleOptions) {
  @Module({ imports: [GenAuthModule.forRoot(options)], controllers: [SessionController] })
  class DemoModule {}
  return DemoModule;
}
