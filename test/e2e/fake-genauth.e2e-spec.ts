import { describe, it, expect } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { FakeGenAuth } from '../../src/testing.js';
describe('smoke', () => {
  it('works', async () => {
    const g = await FakeGenAuth.start();
    const t = g.signIn();
    const set = (await (await fetch(`${g.application.issuer}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
    const r = await jwtVerify(t.access_token, createLocalJWKSet(set), { issuer: g.application.issuer });
    console.log(r, g.application.options());
    const ask = async (p: string, f: Record<string, string>) => { const r = await fetch(`${g.application.appHost}/oidc/${p}`, { method: 'POST', body: new URLSearchParams({ client_id: g.application.appId, client_secret: g.application.appSecret, ...f }) }); return [r.status, Object.fromEntries(r.headers), await r.text()]; };
    console.log(await ask('token/introspection', { token: t.access_token }), await ask('token/introspection', { token: g.respell(t.access_token) }), await ask('token/revocation', { token: t.refresh_token }), await ask('token/introspection', { token: t.access_token }));
    for (const f of ['down','reset','html','garbage','bomb'] as const) { g.fault('jwks', f, 1); console.log(f, await fetch(`${g.application.issuer}/.well-known/jwks.json`).then(async r => [r.status, (await r.text()).length], e => e.cause)); }
    g.fault('jwks', 'endless', 1);
    const ac = new AbortController(); const e = await fetch(`${g.application.issuer}/.well-known/jwks.json`, { signal: ac.signal }); const rd = e.body!.getReader(); let n = 0; while (n < 1e6) n += (await rd.read()).value!.length; ac.abort();
    await g.goDown(); console.log(await fetch(g.host).catch(e => e.cause.code)); await g.comeBack(); console.log((await fetch(g.host)).status);
    await g.stop();
    expect(1).toBe(1);
  });
});
