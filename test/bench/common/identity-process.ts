import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { FakeGenAuth } from 'nestjs-genauth/testing';

import { answerParent } from './child.js';
import type { Issuer, MintOptions } from './identity.js';

const genauth = await FakeGenAuth.start({ applications: [{}] });
const { application } = genauth;
const rsa = application.keys.current;
application.keys.add('ES256');
application.keys.add('EdDSA');
application.keys.use(rsa.kid);

/** A realm as keycloak-connect wants it: the same keys under its own path. */
const realm = createServer((_, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(application.keys.jwks()));
}).listen(0, '127.0.0.1');
const realmHost = await new Promise<string>((resolve) => {
  realm.once('listening', () => {
    resolve(`http://127.0.0.1:${(realm.address() as AddressInfo).port}`);
  });
});

function describeIssuer(): Issuer {
  return {
    application: application.options() as Issuer['application'],
    issuer: application.issuer,
    jwksUri: `${application.appHost}/oidc/.well-known/jwks.json`,
    jwks: application.keys.jwks() as Issuer['jwks'],
    realmHost,
    realmIssuer: `${realmHost}/realms/bench`,
  };
}

/** The claims of GenAuth's own example, as many times as wanted; each token has a `jti` of its own. */
function mint({ alg, count, claims, register = false }: MintOptions): string[] {
  const all = { scope: 'openid profile book:read', ...claims };
  return Array.from({ length: count }, () => genauth.token(all, { alg, register }));
}

answerParent({ describe: describeIssuer, mint });
