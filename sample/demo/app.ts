import { Body, Controller, Get, Module, Post, UseGuards } from '@nestjs/common';
import {
  BearerToken,
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  type Principal,
  Public,
  Scopes,
  TokenService,
} from 'nestjs-genauth';

@Controller()
@UseGuards(GenAuthGuard)
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
