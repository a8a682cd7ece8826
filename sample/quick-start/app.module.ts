import { Controller, Get, Logger, Module, Post, UseGuards } from '@nestjs/common';
import {
  BearerToken,
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  OnRevocation,
  type Principal,
  type RevocationEvent,
  Scopes,
  TokenService,
} from 'nestjs-genauth';

@Controller()
@UseGuards(GenAuthGuard)
export class SessionController {
  constructor(private readonly tokens: TokenService) {}

  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub, scopes: who.scopes };
  }

  @Get('books')
  @Scopes('book:read')
  books() {
    return ['The Left Hand of Darkness'];
  }

  @Post('logout')
  logout(@BearerToken() token: string) {
    return this.tokens.revoke(token);
  }

  @OnRevocation()
  audit(event: RevocationEvent) {
    Logger.log(`revoked: ${event.kind}, by ${event.source}`, 'Audit');
  }
}

@Module({
  imports: [
    GenAuthModule.forRoot({
      appId: process.env['GENAUTH_APP_ID'],
      appSecret: process.env['GENAUTH_APP_SECRET'],
      appHost: process.env['GENAUTH_APP_HOST'],
    }),
  ],
  controllers: [SessionController],
})
export class AppModule {}
