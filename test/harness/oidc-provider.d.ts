/** As much of `oidc-provider` as the tests use; it comes without types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  interface Client {
    readonly clientId: string;
  }

  interface Saved {
    save(): Promise<string>;
  }

  interface TokenFields {
    readonly accountId: string;
    readonly client: Client;
    readonly grantId: string;
    readonly gty: string;
    readonly scope: string;
    readonly iat?: number;
    readonly resourceServer?: object;
  }

  class Provider {
    constructor(issuer: string, configuration: object);
    readonly issuer: string;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    interactionDetails(
      request: IncomingMessage,
      response: ServerResponse,
    ): Promise<{ readonly params: Readonly<Record<string, string | undefined>> }>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: object,
    ): Promise<void>;
    readonly Client: { find(clientId: string): Promise<Client | undefined> };
    readonly Grant: new (fields: { accountId: string; clientId: string }) => Saved & {
      addOIDCScope(scope: string): void;
      addResourceScope(resource: string, scope: string): void;
    };
    readonly AccessToken: new (fields: TokenFields) => Saved;
    readonly RefreshToken: new (fields: TokenFields) => Saved;
    readonly ResourceServer: new (identifier: string, settings: object) => object;
  }

  const errors: { readonly InvalidRequest: new (description: string) => Error };

  export { errors, Provider };
}
