import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpCode, Post, UseGuards } from '@nestjs/common';
import { CompactEncrypt } from 'jose';

import {
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type Principal,
  type RefusalMessage,
  Scopes,
  TokenError,
  type TokenService,
} from '../../src/index.js';
import { FakeGenAuth, type SigningKey, VirtualClock } from '../../src/testing.js';
import { platforms } from '../harness/guarded-app.js';
import { type NestApp, startNestApp } from '../harness/nest-app.js';
import { rawRequest, type RawRequest } from '../harness/raw-http.js';

type Reason = RefusalMessage['reason'];
type Members = Record<string, unknown>;

/** What every row may use to make its token. */
interface World {
  readonly genauth: FakeGenAuth;
  readonly tokens: TokenService;
  /** Seconds. */
  readonly now: number;
  /** The application's key that signs: RS256. */
  readonly rsa: SigningKey;
  /** Further published keys of the application. */
  readonly ec: SigningKey;
  readonly ed: SigningKey;
  /** Published for any RSA algorithm. */
  readonly anyRsa: KeyObject;
  /** Published twice under one kid. */
  readonly twin: KeyObject;
  /** Published, but never fit to sign an access token. */
  readonly weak: KeyObject;
  readonly smallExponent: KeyObject;
  readonly forEncryption: KeyObject;
  readonly forWrapping: KeyObject;
  readonly withPrivatePart: KeyObject;
  readonly attacker: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
}

interface Row {
  readonly title: string;
  /** The token, or the request as a whole. */
  readonly send: (world: World) => string | RawRequest | Promise<string | RawRequest>;
  /** Undefined where the library refuses nothing: no credentials of its scheme came. */
  readonly reason: Reason | undefined;
}

const OCT_SECRET = Buffer.from('a secret that somebody published');
const OTHER_RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });

const b64 = (data: string | Buffer) => Buffer.from(data).toString('base64url');
const json = (value: unknown) => JSON.stringify(value);
const compact = (header: string, payload: string, signature: string) =>
  `${header}.${payload}.${signature}`;

/** A good token of the application, but for what is given. */
function claimsOf({ genauth, now }: World, more: Members = {}): Members {
  const { issuer: iss, appId: aud } = genauth.application;
  const good = { jti: 'j', sub: 'u', iat: now, exp: now + 3600, scope: 'openid', iss, aud };
  return { ...good, ...more };
}

/** Signed by the application; `header` and `claims` add, replace or (undefined) leave out. */
function token(world: World, claims: Members = {}, header: Members = {}): string {
  return world.genauth.token(claimsOf(world, claims), { header });
}

/** Signed by the application, whatever the payload's text is. */
function rawPayload(world: World, rawPayload: string): string {
  return world.genauth.token({}, { rawPayload });
}

/** The payload's text with one member put in front. */
function withMember(world: World, member: string): string {
  return rawPayload(world, `{${member},${json(claimsOf(world)).slice(1)}`);
}

/** Signed by the application, whatever the header's text is. */
function rawHeader(world: World, rawHeader: string): string {
  return world.genauth.token(claimsOf(world), { rawHeader });
}

function withHeaderMember({ rsa, ...world }: World, member: string): string {
  const rest = json({ alg: 'RS256', typ: 'JWT', kid: rsa.kid }).slice(1);
  return rawHeader({ rsa, ...world }, `{${member},${rest}`);
}

/** Signed with node's own primitives. */
function signed(
  world: World,
  header: Members,
  by: KeyObject | { readonly secret: string | Buffer },
  how: 'rsa' | 'pss' | 'pss0' | 'ec' | 'der' | 'ed' = 'rsa',
): string {
  const content = `${b64(json({ typ: 'JWT', ...header }))}.${b64(json(claimsOf(world)))}`;
  if ('secret' in by) {
    return `${content}.${createHmac('sha256', by.secret).update(content).digest('base64url')}`;
  }
  const pss = { key: by, padding: constants.RSA_PKCS1_PSS_PADDING };
  const schemes = {
    rsa: by,
    pss: { ...pss, saltLength: 32 },
    pss0: { ...pss, saltLength: 0 },
    ec: { key: by, dsaEncoding: 'ieee-p1363' as const },
    der: { key: by, dsaEncoding: 'der' as const },
    ed: by,
  };
  const digest = how === 'ed' ? null : 'sha256';
  return `${content}.${sign(digest, Buffer.from(content), schemes[how]).toString('base64url')}`;
}

const parts = (text: string) => text.split('.') as [string, string, string];
const bearer = (text: string) => [`Authorization: Bearer ${text}`];
const good = (world: World) => token(world);
const goodHeader = ({ rsa }: World) => json({ alg: 'RS256', typ: 'JWT', kid: rsa.kid });
const FORM = 'Content-Type: application/x-www-form-urlencoded';

/** Rows that differ in one value only. */
function rows<T>(
  about: string,
  reason: Reason | undefined,
  values: readonly T[],
  send: (world: World, value: T) => string | RawRequest | Promise<string | RawRequest>,
): Row[] {
  return values.map((value) => ({
    title: `${about}: ${(json(value) ?? String(value)).slice(0, 60)}`,
    reason,
    send: (world) => send(world, value),
  }));
}

function row(title: string, reason: Reason | undefined, send: Row['send']): Row {
  return { title, reason, send };
}

const ALGORITHMS: Row[] = [
  row('unsigned, alg none', 'not_canonical', ({ genauth }) => genauth.token({}, { alg: 'none' })),
  ...rows(
    'alg with a good signature',
    'algorithm',
    [
      ...['none', 'None', 'NONE', 'nOnE', '', ' ', 'rs256', 'Rs256', 'RS256 ', ' RS256', 'RS256\0'],
      ...[
        'RS384',
        'RS512',
        'PS384',
        'PS512',
        'ES384',
        'ES512',
        'ES256K',
        'Ed25519',
        'Ed448',
        'RS1',
      ],
      ...[
        'HS256',
        'HS384',
        'HS512',
        'dir',
        'A128KW',
        'RSA-OAEP',
        'RSA1_5',
        'ECDH-ES',
        'RS256,none',
      ],
      ...['toString', 'constructor', '__proto__', 'hasOwnProperty', 'ＲＳ２５６'],
      null,
      0,
      256,
      true,
      ['RS256'],
      ['none', 'RS256'],
      { alg: 'RS256' },
      {},
    ],
    (world, alg) => token(world, {}, { alg }),
  ),
  row('no alg at all', 'algorithm', (world) => token(world, {}, { alg: undefined })),
  row('an empty header', 'algorithm', (world) => rawHeader(world, '{}')),
  ...rows(
    'HS256 keyed with what is public',
    'algorithm',
    [
      'spki pem',
      'pkcs1 pem',
      'spki der',
      'jwk',
      'modulus',
      'modulus text',
      'kid',
      'empty',
      'appId',
    ],
    (world, form) => {
      const { publicKey, jwk, kid } = world.rsa;
      const secrets: Record<string, string | Buffer> = {
        'spki pem': publicKey.export({ type: 'spki', format: 'pem' }),
        'pkcs1 pem': publicKey.export({ type: 'pkcs1', format: 'pem' }),
        'spki der': publicKey.export({ type: 'spki', format: 'der' }),
        jwk: json(jwk),
        modulus: Buffer.from(jwk['n'] as string, 'base64url'),
        'modulus text': jwk['n'] as string,
        kid,
        empty: '',
        appId: world.genauth.application.appId,
      };
      return signed(world, { alg: 'HS256', kid }, { secret: secrets[form] ?? '' });
    },
  ),
  row("HS256 with the application's secret, as ID tokens may be", 'algorithm', (world) =>
    signed(world, { alg: 'HS256' }, { secret: world.genauth.application.appSecret }),
  ),
  row('HS256 with a published oct key', 'algorithm', (world) =>
    signed(world, { alg: 'HS256', kid: 'oct' }, { secret: OCT_SECRET }),
  ),
  row('RS256 by its header, an HMAC by its signature', 'signature', (world) =>
    signed(
      world,
      { alg: 'RS256', kid: world.rsa.kid },
      { secret: world.rsa.publicKey.export({ type: 'spki', format: 'pem' }) },
    ),
  ),
  row('RS256 by the kid of a published oct key', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'oct' }, world.rsa.privateKey),
  ),
  row('ES256 by the kid of the RSA key', 'unsuitable_key', (world) =>
    signed(world, { alg: 'ES256', kid: world.rsa.kid }, world.ec.privateKey, 'ec'),
  ),
  row('RS256 by the kid of the EC key', 'unsuitable_key', (world) =>
    signed(world, { alg: 'RS256', kid: world.ec.kid }, world.rsa.privateKey),
  ),
  row('EdDSA by the kid of the EC key', 'unsuitable_key', (world) =>
    signed(world, { alg: 'EdDSA', kid: world.ec.kid }, world.ed.privateKey, 'ed'),
  ),
  row('ES256 by the kid of the Ed25519 key', 'unsuitable_key', (world) =>
    signed(world, { alg: 'ES256', kid: world.ed.kid }, world.ec.privateKey, 'ec'),
  ),
  row('PS256 with a key published for RS256', 'unsuitable_key', (world) =>
    signed(world, { alg: 'PS256', kid: world.rsa.kid }, world.rsa.privateKey, 'pss'),
  ),
  row('PS256 by its header, PKCS#1 by its signature', 'signature', (world) =>
    signed(world, { alg: 'PS256', kid: 'any-rsa' }, world.anyRsa),
  ),
  row('RS256 by its header, PSS by its signature', 'signature', (world) =>
    signed(world, { alg: 'RS256', kid: 'any-rsa' }, world.anyRsa, 'pss'),
  ),
  row('PS256 without salt', 'signature', (world) =>
    signed(world, { alg: 'PS256', kid: 'any-rsa' }, world.anyRsa, 'pss0'),
  ),
  row('ES256 in DER', 'signature', (world) =>
    signed(world, { alg: 'ES256', kid: world.ec.kid }, world.ec.privateKey, 'der'),
  ),
];

const SIGNATURES: Row[] = [
  row('no signature', 'not_canonical', ({ genauth }) => genauth.token({}, { sign: false })),
  row('a key that nobody published', 'signature', (world) =>
    world.genauth.token(claimsOf(world), { key: world.genauth.foreignKey() }),
  ),
  ...rows(
    'an RSA signature of',
    'signature',
    [
      '256 zero bytes',
      '256 ff bytes',
      '1 byte',
      '255 bytes',
      '257 bytes',
      '512 bytes',
      'one bit off',
    ],
    (world, form) => {
      const [header, payload, signature] = parts(good(world));
      const bytes = Buffer.from(signature, 'base64url');
      const flipped = Buffer.from(bytes);
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      const forms: Record<string, Buffer> = {
        '256 zero bytes': Buffer.alloc(256),
        '256 ff bytes': Buffer.alloc(256, 0xff),
        '1 byte': Buffer.alloc(1),
        '255 bytes': bytes.subarray(0, 255),
        '257 bytes': Buffer.concat([Buffer.alloc(1), bytes]),
        '512 bytes': Buffer.concat([bytes, bytes]),
        'one bit off': flipped,
      };
      return compact(header, payload, b64(forms[form] ?? ''));
    },
  ),
  ...rows(
    'an ES256 signature of',
    'signature',
    ['64 zero bytes', 'r and s equal to n', 'r zero', '63 bytes', '65 bytes', 'two signatures'],
    (world, form) => {
      const made = signed(world, { alg: 'ES256', kid: world.ec.kid }, world.ec.privateKey, 'ec');
      const [header, payload, signature] = parts(made);
      const bytes = Buffer.from(signature, 'base64url');
      const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
      const forms: Record<string, Buffer> = {
        '64 zero bytes': Buffer.alloc(64),
        'r and s equal to n': Buffer.from(order + order, 'hex'),
        'r zero': Buffer.concat([Buffer.alloc(32), bytes.subarray(32)]),
        '63 bytes': bytes.subarray(0, 63),
        '65 bytes': Buffer.concat([bytes, Buffer.alloc(1)]),
        'two signatures': Buffer.concat([bytes, bytes]),
      };
      return compact(header, payload, b64(forms[form] ?? ''));
    },
  ),
  row('an EdDSA signature of 64 zero bytes', 'signature', (world) => {
    const made = signed(world, { alg: 'EdDSA', kid: world.ed.kid }, world.ed.privateKey, 'ed');
    return compact(...(made.split('.').slice(0, 2) as [string, string]), b64(Buffer.alloc(64)));
  }),
  row("another token's signature", 'signature', (world) => {
    const [header, payload] = parts(good(world));
    return compact(header, payload, parts(token(world, { sub: 'other' }))[2]);
  }),
  row("another token's payload", 'signature', (world) => {
    const [header, , signature] = parts(good(world));
    return compact(header, parts(token(world, { scope: '*' }))[1], signature);
  }),
  row("another token's header", 'signature', (world) => {
    const [, payload, signature] = parts(good(world));
    return compact(parts(token(world, {}, { typ: 'at+jwt' }))[0], payload, signature);
  }),
  row('the payload written anew with the same meaning', 'signature', (world) => {
    const [header, payload, signature] = parts(good(world));
    return compact(header, b64(` ${Buffer.from(payload, 'base64url').toString()}`), signature);
  }),
  row('a signature over the decoded payload', 'signature', (world) => {
    const [header, payload] = parts(good(world));
    const content = `${header}.${Buffer.from(payload, 'base64url').toString()}`;
    return compact(
      header,
      payload,
      b64(sign('sha256', Buffer.from(content), world.rsa.privateKey)),
    );
  }),
  row('a signature over the payload alone', 'signature', (world) => {
    const [header, payload] = parts(good(world));
    return compact(
      header,
      payload,
      b64(sign('sha256', Buffer.from(payload), world.rsa.privateKey)),
    );
  }),
];

const KEYS: Row[] = [
  ...rows('a kid that is no name', 'header_type', ['', null, 0, 1, true, [], ['k'], {}], (w, kid) =>
    token(w, {}, { kid }),
  ),
  ...rows(
    'a kid that names no key',
    'unknown_key',
    [
      ...[
        'unknown',
        ' ',
        '0',
        'null',
        'undefined',
        '*',
        '.*',
        '__proto__',
        'constructor',
        'toString',
      ],
      ...[
        '../../../../dev/null',
        '/etc/passwd',
        'file:///dev/null',
        "' OR 1=1 --",
        "x' UNION SELECT 1",
      ],
      ...[
        'http://127.0.0.1:1/jwks.json',
        '| sleep 10',
        '$(id)',
        '\0',
        'k'.repeat(4_000),
        '🔑',
        'ｋ',
      ],
    ],
    (world, kid) => token(world, {}, { kid }),
  ),
  row('a kid with a space behind it', 'unknown_key', (w) => token(w, {}, { kid: `${w.rsa.kid} ` })),
  row('a kid with a null byte behind it', 'unknown_key', (w) =>
    token(w, {}, { kid: `${w.rsa.kid}\0` }),
  ),
  row('a kid in other letters', 'unknown_key', (w) =>
    token(w, {}, { kid: [...w.rsa.kid].reverse().join('') }),
  ),
  row('a kid that two published keys have', 'ambiguous_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'twin' }, world.twin),
  ),
  row('no kid, though several published keys fit', 'ambiguous_key', (world) =>
    token(world, {}, { kid: undefined }),
  ),
  row('a published RSA key of 1024 bits', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'weak' }, world.weak),
  ),
  row('a published RSA key with exponent 3', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'small-exponent' }, world.smallExponent),
  ),
  row('a key published for encryption', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'for-encryption' }, world.forEncryption),
  ),
  row('a key published for wrapping keys', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'for-wrapping' }, world.forWrapping),
  ),
  row('a key published with its private part', 'unknown_key', (world) =>
    signed(world, { alg: 'RS256', kid: 'private' }, world.withPrivatePart),
  ),
  ...rows(
    "the attacker's key in the header under our kid",
    'signature',
    ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'all'],
    (world, form) => {
      const { privateKey, publicKey } = world.attacker;
      const jwk = { ...publicKey.export({ format: 'jwk' }), kid: world.rsa.kid, alg: 'RS256' };
      const all: Members = {
        jwk,
        jku: `${world.genauth.host}/attacker/jwks.json`,
        x5u: `${world.genauth.host}/attacker/cert.pem`,
        x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
        x5t: b64('thumbprint'),
      };
      const member = form === 'all' ? all : { [form]: all[form] };
      return signed(world, { alg: 'RS256', kid: world.rsa.kid, ...member }, privateKey);
    },
  ),
  row("the attacker's jwk under a kid of its own", 'unknown_key', (world) => {
    const { privateKey, publicKey } = world.attacker;
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'mine', alg: 'RS256' };
    return signed(world, { alg: 'RS256', kid: 'mine', jwk }, privateKey);
  }),
  row("the attacker's jwk as an oct key for HS256", 'algorithm', (world) => {
    const jwk = { kty: 'oct', k: b64('attacker') };
    return signed(world, { alg: 'HS256', jwk }, { secret: 'attacker' });
  }),
  row('another application signs with its own kid', 'unknown_key', (world) => {
    const key = world.genauth.applications[1]?.keys.current as SigningKey;
    return signed(world, { alg: 'RS256', kid: key.kid }, key.privateKey);
  }),
  row('another application signs with our kid', 'signature', (world) => {
    const key = world.genauth.applications[1]?.keys.current as SigningKey;
    return signed(world, { alg: 'RS256', kid: world.rsa.kid }, key.privateKey);
  }),
];

const HEADERS: Row[] = [
  ...rows(
    'typ of something else',
    'token_type',
    [
      ...[
        '',
        ' ',
        'JOSE',
        'JOSE+JSON',
        'JWS',
        'JWE',
        'id+jwt',
        'ID',
        'Refresh',
        'rt+jwt',
        'jwt ',
        'JWT\n',
      ],
      ...[
        'logout+jwt',
        'application/logout+jwt',
        'secevent+jwt',
        'dpop+jwt',
        'kb+jwt',
        'vc+sd-jwt',
      ],
      ...[
        'oauth-authz-req+jwt',
        'token-introspection+jwt',
        'at+jwt+x',
        'xat+jwt',
        'at jwt',
        'text/jwt',
      ],
      ...['application/', 'application/application/jwt', 'at+jwt;q=1', 'ＪＷＴ'],
      null,
      0,
      true,
      [],
      ['JWT'],
      { typ: 'JWT' },
    ],
    (world, typ) => token(world, {}, { typ }),
  ),
  ...rows(
    'crit',
    'critical_header',
    [['b64'], ['exp'], ['unknown'], [], ['alg'], 'b64', null, {}, [null], ['__proto__']],
    (world, crit) => token(world, {}, { crit }),
  ),
  ...rows('b64', 'critical_header', [false, true, null, 'false'], (w, value) =>
    token(w, {}, { b64: value }),
  ),
  row('b64:false with its crit, payload unencoded', 'critical_header', (world) =>
    token(world, {}, { b64: false, crit: ['b64'] }),
  ),
  ...rows('zip', 'compressed', ['DEF', 'GZ', '', null], (w, zip) => token(w, {}, { zip })),
  ...rows('enc', 'encrypted', ['A128GCM', null], (w, enc) => token(w, {}, { enc })),
  ...rows('cty', 'nested', ['JWT', 'jwt', 'application/jwt', null], (w, cty) =>
    token(w, {}, { cty }),
  ),
  ...rows(
    'a header that is no JSON object',
    'not_json',
    [
      ...['[]', '"RS256"', 'null', 'true', '1', '{', '{}}', '{"alg":"RS256",}', "{'alg':'RS256'}"],
      ...['{alg:"RS256"}', '{"alg":NaN}', '// \n{}', '\uFEFF{"alg":"RS256"}', '{"alg":"RS256"}\0'],
    ],
    (world, text) => rawHeader(world, text),
  ),
  ...rows(
    'a header that names a member twice',
    'duplicate_member',
    [
      '"alg":"none"',
      '"kid":"x"',
      '"\\u0061lg":"RS256"',
      '"typ":"JWT"',
      '"x":{"y":1,"y":2}',
      '"x":1,"x":1',
    ],
    (world, member) => withHeaderMember(world, member),
  ),
];

const SPELLINGS: Row[] = [
  ...rows('padding', 'not_canonical', ['=', '==', '===', '===='], (w, pad) => good(w) + pad),
  row('spare bits set in the signature', 'not_canonical', (w) => w.genauth.respell(good(w))),
  ...rows('spare bits set in segment', 'not_canonical', [0, 1], (world, place) => {
    // A text one byte longer than a multiple of three leaves four bits to spare.
    const texts = [goodHeader(world), json(claimsOf(world))];
    const fitted = texts.map((text) => text + ' '.repeat((4 - (Buffer.byteLength(text) % 3)) % 3));
    const made = world.genauth.token(
      {},
      { rawHeader: fitted[0] ?? '', rawPayload: fitted[1] ?? '' },
    );
    const segments = parts(made);
    segments[place] = (segments[place] ?? '').replace(/.$/, (last) =>
      String.fromCharCode(last.charCodeAt(0) + 1),
    );
    return segments.join('.');
  }),
  ...rows('the alphabet of plain base64 in segment', 'not_canonical', [0, 1, 2], (world, place) => {
    const segments = parts(good(world));
    segments[place] = `${segments[place]}+/`;
    return segments.join('.');
  }),
  ...rows(
    'a character from outside the alphabet',
    'not_canonical',
    ['~', '~~~~', '+', '/'],
    (w, c) => good(w) + c,
  ),
  row('a dot behind it', 'encrypted', (world) => `${good(world)}.`),
  row('two dots behind it', 'encrypted', (world) => `${good(world)}..`),
  row('a dot before it', 'encrypted', (world) => `.${good(world)}`),
  row('a fourth segment', 'encrypted', (world) => `${good(world)}.AAAA`),
  row('itself twice', 'encrypted', (world) => `${good(world)}.${good(world)}`),
  row('a thousand segments', 'encrypted', () => Array(1_000).fill('e30').join('.')),
  row('dots only', 'encrypted', () => '.'.repeat(8_000)),
  row('three dots', 'encrypted', () => '...'),
  row('two dots', 'not_canonical', () => '..'),
  row('header only', 'inactive', (world) => parts(good(world))[0]),
  row('header and payload only', 'malformed', (world) => parts(good(world)).slice(0, 2).join('.')),
  row('header and a dot', 'malformed', (world) => `${parts(good(world))[0]}.`),
  row('no header', 'not_canonical', (world) =>
    compact('', ...(parts(good(world)).slice(1) as [string, string])),
  ),
  row('no payload', 'not_canonical', (world) => {
    const [header, , signature] = parts(good(world));
    return compact(header, '', signature);
  }),
  row('segments in the wrong order', 'not_json', (world) => {
    const [header, payload, signature] = parts(good(world));
    return compact(signature, header, payload);
  }),
  row('payload before header', 'issuer', (world) => {
    const [header, payload, signature] = parts(good(world));
    return compact(payload, header, signature);
  }),
  row('plain text in three segments', 'not_json', () => 'YWJj.YWJj.YWJj'),
  row('letters in three segments', 'not_canonical', () => 'a.b.c'),
  row('a JWE of five segments', 'encrypted', async (world) => {
    const plain = Buffer.from(json(claimsOf(world)));
    return new CompactEncrypt(plain)
      .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A128GCM', kid: world.rsa.kid })
      .encrypt(world.rsa.publicKey);
  }),
  row('a JWE of five empty segments', 'encrypted', () => `${b64('{"alg":"dir"}')}....`),
  row('a claim that nests too deep', 'not_json', (world) =>
    withMember(world, `"x":${'['.repeat(4_000)}${']'.repeat(4_000)}`),
  ),
  row('a JWT as payload of a JWT', 'not_json', (world) => rawPayload(world, good(world))),
  row('a JWT in quotes as payload of a JWT', 'not_json', (w) => rawPayload(w, json(good(w)))),
  row('a JWT in base64url once more', 'inactive', (world) => b64(good(world))),
  row('hex instead of base64url', 'inactive', (w) => Buffer.from(good(w)).toString('hex')),
  row('longer than 16 KiB and well signed', 'oversized', (world) =>
    token(world, { filler: 'x'.repeat(12_300) }),
  ),
  row('opaque and one character too long', 'oversized', () => 'x'.repeat(16_385)),
  row('40 KiB of dots', 'oversized', () => '.'.repeat(40_000)),
  row('40 KiB of padding', 'oversized', () => `x${'='.repeat(40_000)}`),
];

const PAYLOADS: Row[] = [
  ...rows(
    'a payload that is no JSON object',
    'not_json',
    [
      ...[
        '[]',
        '"x"',
        'null',
        'true',
        '1',
        '{',
        '{}{}',
        '[{}]',
        '{"a":undefined}',
        '{"a":NaN}',
        '\0{}',
      ],
      ...[
        '{"a":Infinity}',
        '{"a":01}',
        '{"a":+1}',
        '{"a":0x10}',
        '{"a":1,}',
        '{"a":1}/**/',
        '{"a":"\n"}',
      ],
      ...['{"a":"\\x41"}', '{"a":1e}', '﻿{}', '\uFEFF{"a":1}', '{}\0', ' ', 'sub=u&scope=*'],
    ],
    (world, text) => rawPayload(world, text),
  ),
  ...rows(
    'a payload that is no UTF-8',
    'not_json',
    ['ff', 'c0af', 'eda080', '7b22610022'],
    (w, hex) => {
      const [header] = parts(good(w));
      return compact(header, b64(Buffer.from(hex, 'hex')), 'AAAA');
    },
  ),
  row('a payload in UTF-16', 'not_json', (world) => {
    const [header] = parts(good(world));
    return compact(header, b64(Buffer.from(json(claimsOf(world)), 'utf16le')), 'AAAA');
  }),
  ...rows(
    'a payload that names a member twice',
    'duplicate_member',
    [
      ...['"sub":"admin"', '"scope":"*"', '"exp":9999999999', '"iss":"x"', '"\\u0073ub":"admin"'],
      ...['"x":1,"x":1', '"x":{"y":1,"y":2}', '"x":[{"y":1,"y":1}]', '"":1,"":2'],
      ...['"__proto__":1,"__proto__":2', '"x":":","x":"\\""'],
    ],
    (world, member) => withMember(world, member),
  ),
];

const TIMES: Row[] = [
  ...rows(
    'exp of the wrong type',
    'claim_type',
    ['1e400', '-1e400', '1e300', '9999999999999', '"9999999999"', 'null', 'true', '[]', '{}', '""'],
    (world, text) => {
      const { exp: _, ...rest } = claimsOf(world);
      return rawPayload(world, `{"exp":${text},${json(rest).slice(1)}`);
    },
  ),
  ...rows('nbf of the wrong type', 'claim_type', ['0', null, true, [], {}], (w, nbf) =>
    token(w, { nbf }),
  ),
  ...rows('iat of the wrong type', 'claim_type', ['0', null, false, [0], {}], (w, iat) =>
    token(w, { iat }),
  ),
  row('nbf beyond all numbers', 'claim_type', (world) => withMember(world, '"nbf":-1e999')),
  row('iat beyond all numbers', 'claim_type', (world) => {
    const { iat: _, ...rest } = claimsOf(world);
    return rawPayload(world, `{"iat":1e999,${json(rest).slice(1)}`);
  }),
  row('no exp', 'claim_missing', (world) => token(world, { exp: undefined })),
  ...rows('exp that has passed', 'expired', [0, -1, 0.1, 1, -1e12, 1e-320], (w, exp) =>
    token(w, { exp }),
  ),
  row('exp at the end of the tolerance', 'expired', (w) => token(w, { exp: w.now - 5 })),
  row('exp in milliseconds of 1970', 'expired', (w) => token(w, { exp: 1_000_000 })),
  row('exp before iat', 'expired', (w) => token(w, { iat: w.now, exp: w.now - 6 })),
  row('nbf beyond the tolerance', 'not_yet_valid', (w) => token(w, { nbf: w.now + 5.001 })),
  row('nbf far away', 'not_yet_valid', (w) => token(w, { nbf: 8e12 })),
  row('iat beyond the tolerance', 'issued_in_future', (w) => token(w, { iat: w.now + 5.001 })),
  row('iat in milliseconds', 'issued_in_future', (w) => token(w, { iat: w.now * 1_000 })),
  row('no iat, and GenAuth does not know it', 'inactive', (w) => token(w, { iat: undefined })),
  row('older than the application, and GenAuth does not know it', 'inactive', (w) =>
    token(w, { iat: 1 }),
  ),
  row('a negative iat', 'inactive', (w) => token(w, { iat: -1 })),
];

const PARTIES: Row[] = [
  ...rows(
    'an issuer spelled nearly right',
    'issuer',
    [
      ...[
        'slash',
        'upper',
        'scheme',
        'bare',
        'port',
        'space',
        'tab',
        'null byte',
        'suffix',
        'prefix',
      ],
      ...[
        'user',
        'query',
        'fragment',
        'encoded',
        'double slash',
        'dots',
        'oauth',
        'homoglyph',
        'localhost',
      ],
      ...[
        'list',
        'object',
        'null',
        'number',
        'true',
        'empty',
        'missing',
        'regexp',
        'other application',
      ],
    ],
    (world, form) => {
      const { issuer, appHost } = world.genauth.application;
      const forms: Members = {
        slash: `${issuer}/`,
        upper: issuer.toUpperCase(),
        scheme: issuer.replace('http:', 'https:'),
        bare: appHost,
        port: issuer.replace(/:\d+/, ''),
        space: ` ${issuer}`,
        tab: `${issuer}\t`,
        'null byte': `${issuer}\0`,
        suffix: `${issuer}.evil.example`,
        prefix: `https://evil.example/?${issuer}`,
        user: issuer.replace('//', '//x@'),
        query: `${issuer}?x`,
        fragment: `${issuer}#`,
        encoded: issuer.replace('oidc', '%6fidc'),
        'double slash': issuer.replace('/oidc', '//oidc'),
        dots: `${issuer}/../oidc`,
        oauth: `${appHost}/oauth`,
        homoglyph: issuer.replace('oidc', 'оidc'),
        localhost: issuer.replace('127.0.0.1', 'localhost'),
        list: [issuer],
        object: { [issuer]: issuer },
        null: null,
        number: 1,
        true: true,
        empty: '',
        missing: undefined,
        regexp: '.*',
        'other application': world.genauth.applications[1]?.issuer,
      };
      return token(world, { iss: forms[form] });
    },
  ),
  row('a token of an application that is not configured', 'issuer', ({ genauth }) =>
    genauth.token({}, { appId: genauth.applications[1]?.appId ?? '' }),
  ),
  ...rows(
    'an audience spelled nearly right',
    'audience',
    [
      ...[
        'upper',
        'prefix',
        'suffix',
        'space',
        'comma',
        'spaces',
        'null byte',
        'star',
        'regexp',
        'part',
      ],
      ...['other application', 'list of others', 'reversed', 'issuer', 'object text', 'joined'],
    ],
    (world, form) => {
      const { appId, issuer } = world.genauth.application;
      const forms: Members = {
        upper: `${appId}X`.toUpperCase(),
        prefix: `x${appId}`,
        suffix: `${appId}x`,
        space: `${appId} `,
        comma: `${appId},other`,
        spaces: `${appId} other`,
        'null byte': `${appId}\0`,
        star: '*',
        regexp: '.*',
        part: appId.slice(0, -1),
        'other application': world.genauth.applications[1]?.appId,
        'list of others': ['a', 'b', `${appId}x`],
        reversed: [...appId].reverse().join('x'),
        issuer,
        'object text': '[object Object]',
        joined: ['', ''].join(appId + appId),
      };
      return token(world, { aud: forms[form] });
    },
  ),
  ...rows(
    'an audience of the wrong type',
    'claim_type',
    [
      'null',
      'number',
      'true',
      'object',
      'empty',
      'nested',
      'mixed',
      'with null',
      'too many',
      'empties',
    ],
    (world, form) => {
      const { appId } = world.genauth.application;
      const forms: Members = {
        null: null,
        number: 1,
        true: true,
        object: { 0: appId, length: 1 },
        empty: '',
        nested: [[appId]],
        mixed: [appId, 1],
        'with null': [appId, null],
        'too many': [appId, ...Array.from({ length: 64 }, (_, i) => `a${i}`)],
        empties: [''],
      };
      return token(world, { aud: forms[form] });
    },
  ),
  row('no audience', 'claim_missing', (world) => token(world, { aud: undefined })),
  row('an empty list of audiences', 'claim_missing', (world) => token(world, { aud: [] })),
  row("a machine's token, not allowed here", 'audience', ({ genauth }) => genauth.machineToken()),
  row('azp in place of aud, not allowed here', 'audience', (world) =>
    token(world, { aud: 'AK', azp: world.genauth.application.appId }),
  ),
];

const KINDS: Row[] = [
  row('an ID token', 'not_an_access_token', ({ genauth }) => genauth.signIn().id_token),
  row('an ID token with a nonce', 'not_an_access_token', ({ genauth }) => {
    return genauth.signIn({ nonce: 'n' }).id_token;
  }),
  row('an ID token without at_hash', 'not_an_access_token', (world) =>
    token(world, { scope: undefined, jti: undefined, email: 'u@example.com' }),
  ),
  row('an ID token signed with the secret', 'algorithm', (world) =>
    signed(world, { alg: 'HS256', typ: 'JWT' }, { secret: world.genauth.application.appSecret }),
  ),
  row('a refresh token', 'not_an_access_token', ({ genauth }) => genauth.signIn().refresh_token),
  row('an opaque token that nobody knows', 'inactive', () => 'b1946ac92492d2347c6235b4d2611184'),
  row('an opaque access token of the other protocol', 'inactive', ({ genauth }) => {
    return genauth.opaqueToken().access_token;
  }),
  row('a logout token', 'token_type', (world) =>
    token(
      world,
      { events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, sid: 's' },
      { typ: 'logout+jwt' },
    ),
  ),
  row('a logout token of typ JWT', 'not_an_access_token', (world) =>
    token(world, {
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      sid: 's',
    }),
  ),
  row('a security event token', 'token_type', (world) =>
    token(world, { events: {}, toe: world.now }, { typ: 'secevent+jwt' }),
  ),
  ...rows(
    'a claim that access tokens do not have',
    'not_an_access_token',
    ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'toe'],
    (world, name) => token(world, { [name]: 'x' }),
  ),
  ...rows('such a claim under typ at+jwt', 'not_an_access_token', ['nonce', 'events'], (w, name) =>
    token(w, { [name]: null }, { typ: 'at+jwt' }),
  ),
  row('a DPoP proof', 'issuer', (world) => {
    const jwk = world.attacker.publicKey.export({ format: 'jwk' });
    const claims = { jti: 'j', htm: 'GET', htu: 'http://127.0.0.1/me', iat: world.now };
    const header = { typ: 'dpop+jwt', alg: 'RS256', jwk };
    return world.genauth.token({}, { rawPayload: json(claims), header, kid: null });
  }),
  row('a DPoP proof that says who issued it', 'token_type', (world) => {
    const jwk = world.attacker.publicKey.export({ format: 'jwk' });
    return signed(world, { typ: 'dpop+jwt', alg: 'RS256', jwk }, world.attacker.privateKey);
  }),
  ...rows(
    'cnf',
    'sender_constrained',
    [{ jkt: 'thumbprint' }, { 'x5t#S256': 'thumbprint' }, {}, null, '', [], false],
    (world, cnf) => token(world, { cnf }),
  ),
  row('cnf under typ at+jwt', 'sender_constrained', (world) =>
    token(world, { cnf: { jkt: 'x' } }, { typ: 'at+jwt' }),
  ),
  ...rows(
    'a scope that is no string',
    'claim_type',
    [null, 1, true, [], ['openid'], {}],
    (w, scope) => token(w, { scope }),
  ),
  row('no scope', 'not_an_access_token', (world) => token(world, { scope: undefined })),
  row('no jti', 'not_an_access_token', (world) => token(world, { jti: undefined })),
  ...['sub', 'jti', 'client_id', 'azp', 'sid'].flatMap((name) =>
    rows(
      `${name} of the wrong type`,
      'claim_type',
      ['', null, 1, true, [], ['u'], {}],
      (w, value) => token(w, { [name]: value }),
    ),
  ),
  row('what the application needs, inside of __proto__', 'claim_missing', (world) => {
    const { exp, ...rest } = claimsOf(world);
    return rawPayload(world, `{"__proto__":{"exp":${String(exp)}},${json(rest).slice(1)}`);
  }),
  row('what the application needs, inside of constructor', 'claim_missing', (world) => {
    const { exp, ...rest } = claimsOf(world);
    return token(world, { ...rest, exp: undefined, constructor: { prototype: { exp } } });
  }),
  row('the issuer inside of __proto__', 'issuer', (world) => {
    const { iss, ...rest } = claimsOf(world);
    return rawPayload(world, `{"__proto__":{"iss":${json(iss)}},${json(rest).slice(1)}`);
  }),
  row('a revoked token', 'revoked', async (world) => {
    const { access_token: text } = world.genauth.signIn();
    await world.tokens.verify(text);
    await world.tokens.revoke(text);
    return text;
  }),
  row('a revoked token in another spelling', 'not_canonical', async (world) => {
    const { access_token: text } = world.genauth.signIn();
    await world.tokens.revoke(text);
    return world.genauth.respell(text);
  }),
  row('a revoked token under the other valid signature', 'revoked', async (world) => {
    const made = signed(world, { alg: 'ES256', kid: world.ec.kid }, world.ec.privateKey, 'ec');
    await world.tokens.revoke(made);
    return world.genauth.malleate(made);
  }),
];

const SYNTAX: Row[] = [
  ...rows(
    'Authorization',
    'bearer_syntax',
    [
      ...[
        'Bearer',
        'bearer',
        'BEARER',
        'Bearer a b',
        'Bearer a, Bearer b',
        'Bearer "a"',
        'Bearer a;b',
      ],
      ...[
        'Bearer a,b',
        'Bearer =',
        'Bearer a=b',
        'Bearer a%20b',
        'Bearer {"a":1}',
        'Bearer <a>',
        'Bearer a\tb',
      ],
      ...[
        'Bearer a?b',
        'Bearer a#b',
        'Bearer a:b',
        'Bearer a@b',
        'Bearer a\\b',
        'Bearer a|b',
        'Bearer $a',
      ],
      ...[
        'Bearer \xff',
        'Bearer a\x80',
        'Bearer \xc3\xa4',
        'Bearer é',
        'Bearer *',
        'Bearer ()',
        'Bearer !',
      ],
      ...[
        'Bearer Bearer a',
        'Bearer token="a"',
        "Bearer 'a'",
        'Bearer [a]',
        'Bearer a&b',
        'Bearer \ta',
      ],
    ],
    (_, value) => ({ lines: [`Authorization: ${value}`] }),
  ),
  row('a good token and something behind it', 'bearer_syntax', (world) => ({
    lines: [`Authorization: Bearer ${good(world)} x`],
  })),
  row('a good token in JSON serialisation', 'bearer_syntax', (world) => {
    const [header, payload, signature] = parts(good(world));
    const text = json({ protected: header, payload, signature });
    return { lines: [`Authorization: Bearer ${text}`] };
  }),
  row('two good tokens in two headers', 'bearer_syntax', (world) => ({
    lines: [...bearer(good(world)), ...bearer(good(world))],
  })),
  row('the same token in two headers', 'bearer_syntax', (world) => {
    const text = good(world);
    return { lines: [...bearer(text), ...bearer(text)] };
  }),
  row('two headers in different letters', 'bearer_syntax', (world) => ({
    lines: [`authorization: Bearer ${good(world)}`, `AUTHORIZATION: Bearer ${good(world)}`],
  })),
  row('a good token behind Basic credentials', 'bearer_syntax', (world) => ({
    lines: ['Authorization: Basic Zm9vOmJhcg==', ...bearer(good(world))],
  })),
  row('a good token before Basic credentials', 'bearer_syntax', (world) => ({
    lines: [...bearer(good(world)), 'Authorization: Basic Zm9vOmJhcg=='],
  })),
  row('a good token behind an empty header', 'bearer_syntax', (world) => ({
    lines: ['Authorization:', ...bearer(good(world))],
  })),
  row('a good token in the header and in the query', 'bearer_syntax', (world) => ({
    path: `/me?access_token=${good(world)}`,
    lines: bearer(good(world)),
  })),
  row('a good token in the header and an empty one in the query', 'bearer_syntax', (world) => ({
    path: '/me?access_token=',
    lines: bearer(good(world)),
  })),
  row('a good token in the header and two in the query', 'bearer_syntax', (world) => ({
    path: '/me?access_token=a&access_token=b',
    lines: bearer(good(world)),
  })),
  row('a good token in the header and in an encoded query', 'bearer_syntax', (world) => ({
    path: '/me?%61ccess_token=a',
    lines: bearer(good(world)),
  })),
  row('a good token in the header and in a form', 'bearer_syntax', (world) => ({
    method: 'POST',
    path: '/act',
    lines: [...bearer(good(world)), FORM],
    body: `access_token=${good(world)}`,
  })),
  row('a good token in the header and in a form with a charset', 'bearer_syntax', (world) => ({
    method: 'POST',
    path: '/act',
    lines: [...bearer(good(world)), `${FORM}; charset=utf-8`],
    body: 'a=1&access_token=x',
  })),
  row(
    'a good token in the header and in a form whose type is in capitals',
    'bearer_syntax',
    (w) => ({
      method: 'POST',
      path: '/act',
      lines: [...bearer(good(w)), FORM.toUpperCase()],
      body: 'access_token=x',
    }),
  ),
];

const NOTHING_SENT: Row[] = [
  ...rows(
    'Authorization of another scheme',
    undefined,
    [
      ...[
        '',
        'Basic Zm9vOmJhcg==',
        'DPoP x',
        'Digest username="x"',
        'Bearer: x',
        'Bearer=x',
        'Token x',
      ],
      ...[
        'BearerToken x',
        'Bear x',
        'GenAuth AK:SK',
        'x',
        'x Bearer y',
        'Negotiate',
        'Bearer\tx',
        'bearer,x',
      ],
    ],
    (_, value) => ({ lines: [`Authorization: ${value}`] }),
  ),
  row('no header at all', undefined, () => ({})),
  row('a good token without a scheme', undefined, (world) => ({
    lines: [`Authorization: ${good(world)}`],
  })),
  row('a good token under DPoP', undefined, (world) => ({
    lines: [`Authorization: DPoP ${good(world)}`],
  })),
  row('a good token in the query alone', undefined, (world) => ({
    path: `/me?access_token=${good(world)}`,
  })),
  row('a good token in a form alone', undefined, (world) => ({
    method: 'POST',
    path: '/act',
    lines: [FORM],
    body: `access_token=${good(world)}`,
  })),
  row('a good token in a cookie', undefined, (world) => ({
    lines: [`Cookie: access_token=${good(world)}; Authorization=Bearer ${good(world)}`],
  })),
  ...rows(
    'a good token in another header',
    undefined,
    [
      'Proxy-Authorization',
      'X-Authorization',
      'X-Access-Token',
      'Authorization2',
      'X-Forwarded-Authorization',
    ],
    (world, name) => ({ lines: [`${name}: Bearer ${good(world)}`] }),
  ),
];

const TABLE: readonly Row[] = [
  ...ALGORITHMS,
  ...SIGNATURES,
  ...KEYS,
  ...HEADERS,
  ...SPELLINGS,
  ...PAYLOADS,
  ...TIMES,
  ...PARTIES,
  ...KINDS,
  ...SYNTAX,
  ...NOTHING_SENT,
];

/** The one answer to each kind of refusal. */
const REFUSALS = {
  nothing: {
    status: 401,
    challenge: 'Bearer',
    body: '{"statusCode":401,"message":"Unauthorized"}',
  },
  request: {
    status: 400,
    challenge: 'Bearer error="invalid_request"',
    body: '{"statusCode":400,"error":"invalid_request","message":"Bad Request"}',
  },
  token: {
    status: 401,
    challenge: 'Bearer error="invalid_token"',
    body: '{"statusCode":401,"error":"invalid_token","message":"Unauthorized"}',
  },
} as const;

function documented({ reason }: Row) {
  if (reason === undefined) return REFUSALS.nothing;
  return reason === 'bearer_syntax' ? REFUSALS.request : REFUSALS.token;
}

/** Odd, but nothing is wrong with it: what is strange in it must have no effect. */
const HARMLESS: readonly {
  readonly title: string;
  readonly send: (world: World) => string | RawRequest;
}[] = [
  { title: 'a good token', send: good },
  {
    title: 'two spaces behind the scheme',
    send: (w) => ({ lines: [`Authorization: bEaReR  ${good(w)}`] }),
  },
  {
    title: 'typ at+jwt without scope and jti',
    send: (w) => token(w, { scope: undefined, jti: undefined }, { typ: 'application/AT+JWT' }),
  },
  { title: 'no typ', send: (w) => token(w, {}, { typ: undefined }) },
  {
    title: '__proto__ in the payload',
    send: (w) => withMember(w, '"__proto__":{"scope":"*","polluted":true}'),
  },
  {
    title: '__proto__ in the header',
    send: (w) => withHeaderMember(w, '"__proto__":{"crit":["b64"],"polluted":true}'),
  },
  {
    title: 'constructor in the payload',
    send: (w) => token(w, { constructor: { prototype: { polluted: true } } }),
  },
  {
    title: 'names of Object.prototype',
    send: (w) => token(w, { toString: 1, valueOf: null, hasOwnProperty: [] }),
  },
  {
    title: '__proto__ deep down',
    send: (w) => withMember(w, '"x":[{"__proto__":{"polluted":true}}]'),
  },
  {
    title: '__proto__ in the query',
    send: (w) => ({
      path: '/me?__proto__[access_token]=x&constructor[prototype][polluted]=1',
      lines: bearer(good(w)),
    }),
  },
  {
    title: 'a deeply nested claim',
    send: (w) => withMember(w, `"x":${'['.repeat(60)}${']'.repeat(60)}`),
  },
  {
    title: "keys in the header that are nobody's business",
    send: (w) =>
      token(w, {}, { jwk: { kty: 'oct' }, jku: 'http://127.0.0.1:1/', x5u: 1, x5c: null }),
  },
  {
    title: 'times at the edge of the tolerance',
    send: (w) => token(w, { exp: w.now - 4.999, nbf: w.now + 5, iat: w.now }),
  },
  { title: 'the latest instant there is', send: (w) => token(w, { exp: 8.64e12 }) },
  { title: 'times in exponents', send: (w) => withMember(w, '"nbf":1e0') },
  {
    title: 'our audience among 64',
    send: (w) =>
      token(w, {
        aud: [...Array.from({ length: 63 }, (_, i) => `a${i}`), w.genauth.application.appId],
      }),
  },
  { title: 'a scope of spaces', send: (w) => token(w, { scope: '    ' }) },
  {
    title: 'characters from everywhere',
    send: (w) => token(w, { sub: 'ü\u0000\u202e🔑', name: '"\\:{' }),
  },
  {
    title: 'an access_token in JSON',
    send: (w) => ({
      method: 'POST',
      path: '/act',
      lines: [...bearer(good(w)), 'Content-Type: application/json'],
      body: '{"access_token":"x"}',
    }),
  },
];

@Controller()
@UseGuards(GenAuthGuard)
class GuardedController {
  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub ?? null };
  }

  @Post('act')
  @HttpCode(200)
  act() {
    return {};
  }

  @Get('books')
  @Scopes('book:read')
  books() {
    return {};
  }
}

/** Every own property of the prototypes that input could reach. */
function prototypes(): string {
  const all = [Object, Array, String, Number, Boolean, Function, Map, Set, Promise, Error];
  return JSON.stringify(all.map(({ prototype }) => Reflect.ownKeys(prototype).map(String)));
}

function publishOdd(world: World): void {
  const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' });
  const { anyRsa, twin, weak, smallExponent, forEncryption, forWrapping, withPrivatePart } = world;
  const publicOf = (key: KeyObject) => {
    const { kty, n, e } = jwkOf(key);
    return { kty, n, e };
  };
  world.genauth.application.keys.extras.push(
    { ...publicOf(anyRsa), kid: 'any-rsa', use: 'sig' },
    { ...publicOf(twin), kid: 'twin', alg: 'RS256' },
    { ...publicOf(OTHER_RSA.privateKey), kid: 'twin', alg: 'RS256' },
    { ...publicOf(weak), kid: 'weak', alg: 'RS256', use: 'sig' },
    { ...publicOf(smallExponent), kid: 'small-exponent', alg: 'RS256', use: 'sig' },
    { ...publicOf(forEncryption), kid: 'for-encryption', use: 'enc' },
    { ...publicOf(forWrapping), kid: 'for-wrapping', key_ops: ['wrapKey'] },
    { ...jwkOf(withPrivatePart), kid: 'private', alg: 'RS256' },
    { kty: 'oct', kid: 'oct', k: b64(OCT_SECRET), alg: 'RS256' },
    { kty: 'oct', kid: 'oct', k: b64(OCT_SECRET), alg: 'HS256' },
    ...[null, 1, 'key', [], {}, { kty: 'RSA' }, { kty: '__proto__', kid: 'constructor' }],
    { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'toString' },
    { kty: 'EC', crv: 'P-256', x: b64(Buffer.alloc(32)), y: b64(Buffer.alloc(32)), kid: '0' },
  );
}

function newWorld(genauth: FakeGenAuth, tokens: TokenService, now: number): World {
  const { keys } = genauth.application;
  const rsa = keys.current;
  const [ec, ed] = [keys.add('ES256'), keys.add('EdDSA')];
  keys.use(rsa.kid);
  const newRsa = (modulusLength = 2048, publicExponent = 65_537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey;
  const world: World = {
    genauth,
    tokens,
    now,
    rsa,
    ec,
    ed,
    anyRsa: newRsa(),
    twin: newRsa(),
    weak: newRsa(1024),
    smallExponent: newRsa(2048, 3),
    forEncryption: newRsa(),
    forWrapping: newRsa(),
    withPrivatePart: newRsa(),
    attacker: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  publishOdd(world);
  return world;
}

it('the table has at least two hundred rows, no two alike', () => {
  expect(TABLE.length).toBeGreaterThanOrEqual(200);
  const titles = TABLE.map(({ title }) => title);
  expect(titles.filter((title, place) => titles.indexOf(title) !== place)).toEqual([]);
  expect(new Set(TABLE.map(({ reason }) => reason)).size).toBeGreaterThanOrEqual(25);
});

describe.each(platforms)('hostile requests on %s', (platform) => {
  const clock = new VirtualClock(Date.UTC(2031, 0, 6, 9));
  const before = prototypes();
  const refusals: RefusalMessage[] = [];
  const note = (message: unknown) => void refusals.push(message as RefusalMessage);
  let genauth: FakeGenAuth;
  let app: NestApp;
  let world: World;

  beforeAll(async () => {
    genauth = await FakeGenAuth.start({ clock });
    const options = {
      ...genauth.application.options(),
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'] as const,
    };
    app = await startNestApp(
      { imports: [GenAuthModule.forRoot(options)], controllers: [GuardedController] },
      { platform, clock },
    );
    clock.advance(20_000);
    world = newWorld(genauth, app.tokens, clock.now() / 1_000);
    subscribe('genauth:refusal', note);
  });

  beforeEach(() => {
    refusals.length = 0;
  });

  afterAll(async () => {
    unsubscribe('genauth:refusal', note);
    await app.close();
    await genauth.stop();
  });

  function send(sent: string | RawRequest) {
    const request = typeof sent === 'string' ? { lines: bearer(sent) } : sent;
    return rawRequest(app.url, { path: '/me', ...request });
  }

  it.each(TABLE.map((one) => [one.title, one] as const))('refuses %s', async (_, hostile) => {
    const sent = await hostile.send(world);
    const { status, challenge, body } = documented(hostile);
    refusals.length = 0;
    const first = await send(sent);
    expect(refusals.map(({ reason }) => reason)).toEqual(hostile.reason ? [hostile.reason] : []);
    // The second time the refusal may be a remembered one: nobody can tell.
    for (const answer of [first, await send(sent)]) {
      expect([answer.status, answer.body]).toEqual([status, body]);
      expect(answer.headers.get('www-authenticate')).toEqual([challenge]);
    }
    const text = typeof sent === 'string' ? sent : (sent.lines?.join() ?? '');
    const secret = /[\w-]{24,}/.exec(text)?.[0];
    if (secret !== undefined) expect(JSON.stringify([...refusals])).not.toContain(secret);
  });

  it.each(HARMLESS.map((one) => [one.title, one] as const))(
    'lets pass: %s',
    async (_, harmless) => {
      const answer = await send(harmless.send(world));
      expect([refusals.map(({ reason }) => reason), answer.status]).toEqual([[], 200]);
    },
  );

  it('gives no scope to a token that hides scopes in a prototype', async () => {
    const hidden = [
      withMember(world, '"__proto__":{"scope":"book:read"}'),
      token(world, { constructor: { scope: 'book' }, toString: 'book:read' }),
    ];
    for (const text of hidden) {
      expect((await send({ path: '/books', lines: bearer(text) })).status).toBe(403);
    }
  });

  it.each([
    'Bearer a\0b',
    'Bearer \0',
    'Bearer a\rb',
    'Bearer a\x01b',
    'Bearer a\x7fb',
    'Bearer a\nb',
  ])('never reads a header that HTTP itself refuses: %j', async (value) => {
    const answer = await send({ lines: [`Authorization: ${value}`] });
    expect(answer.status).toBe(400);
  });

  it('never asks for anything that a token names, and fetches the keys a few times at most', () => {
    expect(genauth.requests.of('unknown')).toEqual([]);
    expect(genauth.requests.count('jwks')).toBeLessThanOrEqual(2);
  });

  it('still lets a good token pass, with every prototype as it was', async () => {
    const answer = await send(genauth.signIn({ sub: 'at the end' }).access_token);
    expect([answer.status, answer.body]).toEqual([200, '{"sub":"at the end"}']);
    expect(prototypes()).toBe(before);
    expect(({} as Members)['polluted']).toBeUndefined();
  });
});

describe('a million junk tokens', () => {
  const GOOD = 40;
  const clock = new VirtualClock(Date.UTC(2031, 0, 6, 9));
  let genauth: FakeGenAuth;
  let app: NestApp;

  beforeAll(async () => {
    genauth = await FakeGenAuth.start({ clock });
    const options = { ...genauth.application.options(), refusalTtl: 60_000, cache: { max: 50 } };
    app = await startNestApp({ imports: [GenAuthModule.forRoot(options)] }, { clock });
    clock.advance(20_000);
  });

  afterAll(async () => {
    await app.close();
    await genauth.stop();
  });

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapUsed = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };

  /** Settles all of them together; answers how many were refused as tokens. */
  async function refused(junk: readonly string[]): Promise<number> {
    const outcomes = await Promise.all(
      junk.map((text) =>
        app.tokens.verify(text).then(
          () => false,
          (error: unknown) => error instanceof TokenError,
        ),
      ),
    );
    return outcomes.filter(Boolean).length;
  }

  it('evict nothing that is good, and leave nothing behind', async () => {
    // GenAuth's word on each is remembered with it: a forgotten token would be asked about again.
    const goodTokens = Array.from({ length: GOOD }, () => genauth.signIn().access_token);
    for (const text of goodTokens) await app.tokens.verify(text, { maxAge: 60_000 });
    expect(genauth.requests.count('introspection')).toBe(GOOD);
    genauth.requests.clear();

    const [header, payload] = parts(goodTokens[0] ?? '');
    const unsigned = `${b64('{"alg":"none"}')}.`;
    const signature = b64(Buffer.alloc(256, 7));
    const junk = (i: number): string => {
      const mark = i.toString(36);
      if (i % 20 === 0) return compact(header, payload, b64(Buffer.alloc(256, mark)));
      if (i % 20 < 4) return `${unsigned}${b64(`{"iss":"x${mark}"}`)}.AAAA`;
      if (i % 20 < 7) return `${header}.${b64(mark)}.${signature}`;
      if (i % 20 < 10) return `eyJ${mark}.x`;
      return `${mark} is no token`;
    };
    const stackTraceLimit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    let early = 0;
    let count = 0;
    for (let batch = 0; batch < 1_000; batch += 1) {
      const texts = Array.from({ length: 1_000 }, (_, i) => junk(batch * 1_000 + i));
      count += await refused(texts);
      await new Promise((resolve) => setImmediate(resolve));
      if (batch === 99) early = heapUsed();
    }
    Error.stackTraceLimit = stackTraceLimit;
    expect(count).toBe(1_000_000);
    // Nine hundred thousand later: a hundred bytes for each would be 90 MB.
    expect(heapUsed() - early).toBeLessThan(15_000_000);
    for (const text of goodTokens) await app.tokens.verify(text, { maxAge: 60_000 });
    expect(genauth.requests.count()).toBe(0);
  }, 120_000);

  it('fill no more than the space that refusals have of their own', async () => {
    const opaque = (i: number) => `junk-${i}`;
    const asked = () => genauth.requests.count('introspection');
    genauth.requests.clear();
    for (let from = 0; from < 1_200; from += 50) {
      const texts = Array.from({ length: 50 }, (_, i) => opaque(from + i));
      expect(await refused(texts)).toBe(50);
    }
    expect(asked()).toBe(1_200);
    // The newest thousand are remembered, the oldest two hundred are not.
    expect(await refused([opaque(1_199), opaque(201)])).toBe(2);
    expect(asked()).toBe(1_200);
    expect(await refused([opaque(0), opaque(1)])).toBe(2);
    expect(asked()).toBe(1_202);
    clock.advance(60_001);
    expect(await refused([opaque(1_199)])).toBe(1);
    expect(asked()).toBe(1_203);
  });
});
