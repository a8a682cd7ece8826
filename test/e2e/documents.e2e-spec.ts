import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { Public, TokenService } from '../../src/index.js';
import { FakeGenAuth } from '../../src/testing.js';
import { ControlledLog } from '../harness/controlled-log.js';
import { startGuardedApp } from '../harness/guarded-app.js';

const DOCUMENTS = [
  'README.md',
  'SECURITY.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'docs/doors.md',
  'docs/fleet.md',
  'docs/mutants.md',
  'docs/nats.md',
  'docs/performance.md',
];

/** What the README says happens, by the first cell of its row, and the tests that show it. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'GenAuth is down': [
    'go on verifying for as long as keys.staleLimit',
    'answers 503 to an opaque token, and 200 as soon as it is back',
    'denies an access token (%s) that GenAuth could not be told of, and says so',
    'GenAuth is down: the fleet denies, and the caller is told what is missing',
    'leaves telling GenAuth to the log when GenAuth is down',
  ],
  'GenAuth is down when the process starts': [
    'answers 503 to a token whose key is yet to be fetched, and 200 once the pause is over',
  ],
  'GenAuth refuses the `appId` or `appSecret`': [
    'makes a revocation fail with %s, and the token stays denied here while the server honours it',
    'leaves opaque tokens without a verdict, which is not the fault of who sent them',
  ],
  'somebody sends a string that is no JWT': [
    'is not kept waiting by a flood of bearer tokens',
    'fill no more than the space that refusals have of their own',
  ],
  'GenAuth is slow, answers 429, 5xx, HTML, garbage, without end': [
    '503, never 401, while introspection is %s',
    'are not thrown away for a bad answer',
  ],
  "GenAuth's keys rotate": [
    'follows a key rotation, and a withdrawn key takes its remembered tokens with it',
  ],
  'this process restarts': [
    'asks once about tokens issued before, and remembers the answer',
    'refuses what was revoked before the restart',
    'a process restarts: it is not ready until it knows every unexpired entry',
  ],
  'several processes': [
    'G1 bound: nobody accepts a token later than maxStaleness after its revocation was acknowledged',
  ],
  'the server does not introspect JWTs (`oidc-provider` from version 7)': [
    'get no verdict by default: the server is asked, and does not introspect them',
    "are accepted with whenStale 'accept', until they are revoked",
  ],
  'the event hub, when it is listened to, is away or goes silent': [
    'that is %s keeps no application from starting, and comes about later',
    'comes back every time it is lost (%s), however often',
    'that died without a word is noticed by its heartbeat, and replaced',
    'hides no revocation: a token that GenAuth revoked meanwhile is refused, although no event came',
    'hides none while it lasts',
  ],
  "the application's cache store fails or hangs": [
    'takes a store behind cache-manager that fails for a miss',
    'takes a store that never answers for a miss',
  ],
  '`revocation.maxEntries` is reached': [
    'accepts nothing on its own word (%s), keeps what it holds, and says that it is full',
    'the index is full: stale, an alarm, and nothing dropped',
  ],
  'strangers hand junk to a route that revokes': ['leaves nothing lasting when it is junk'],
  'clocks are set, the machine sleeps, the event loop is blocked': [
    'that was ahead during a revocation brings nothing back when it is set right',
    'the wall clock is set back: nothing revoked comes back to life',
    'the wall clock is set forward: stale until the next proof',
    'the machine sleeps: catching up until the next proof',
    'the event loop is blocked: the right to accept ends by itself',
  ],
  'a process dies in the middle of `revoke`': [
    'G3 read your writes: denied here from the call on, acknowledged or not',
    'is finished by another process, when the one that made it is gone',
  ],
  'an announcement is lost, or a connection to Redis dies silently': [
    'the doorbell is lost: the next heartbeat brings the news',
    'a connection dies without a word: it is replaced within its deadline',
  ],
  'Redis is away for less than `revocation.maxStaleness`': [
    'Redis is down for a while: nothing is visible, but revoke rejects and is repeated',
  ],
  'Redis is away for longer, or a process is cut off from it': [
    'Redis is down for longer: nobody accepts anything on the word of the log',
    'packets pass one way only (%s are lost): stale at maxStaleness, and current again on return',
    'Redis answers late: an answer counts from when it was asked for',
  ],
  'Redis fails over': [
    'a failover loses entries: those who read them bring them back',
    'the clock of a new master is behind: no entry is skipped',
    'an old master is isolated but readable: it proves nothing',
  ],
  'the log is wiped, deleted, evicted or trimmed': [
    'the log %s: it is begun anew, what is known is brought back, and older tokens are asked about',
    'the log is trimmed too far: older tokens are asked about',
  ],
  'an entry comes twice, or is of a newer version': [
    'an entry comes twice: nothing changes',
    'an entry %s is read: stale until it has expired, and an alarm',
  ],
};

/** What the design asks of a fleet is shown here; what else these files hold needs no row in the README. */
const NO_ROW = [
  'another maxTokenLifetime is configured: it refuses to start, in one line',
  'the server may evict: an alarm names the setting',
  'the application ends: no socket to Redis is left',
];

const read = (path: string): Promise<string> => readFile(path, 'utf8');

/** The titles of the tests in a file, as they are written there. */
async function titlesIn(path: string): Promise<string[]> {
  const source = await read(path);
  const titles = source.matchAll(/(?:\bit\(|\)\()\s*(?:'(.+?)'|"(.+?)"),\s/g);
  return [...titles].map(([, single, double]) => single ?? double ?? '');
}

async function allTitles(): Promise<Set<string>> {
  const folders = ['src/verify', 'test/e2e', 'test/contract'];
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  );
  const specs = files.flat().filter((name) => name.endsWith('spec.ts'));
  // What is written here of a test does not make it exist.
  const others = specs.filter((name) => !name.endsWith('documents.e2e-spec.ts'));
  return new Set((await Promise.all(others.map(titlesIn))).flat());
}

/** The cells of the table under a heading, without its own head. */
function tableUnder(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const [body = ''] = section.split('\n## ');
  const lines = body.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const textIn = (source: string, pattern: RegExp): string => pattern.exec(source)?.[1] ?? '';

describe('The table of the README', () => {
  it('has a row for each case that is shown, and shows each row', async () => {
    const rows = tableUnder(await read('README.md'), 'What happens when').map(([what]) => what);
    expect(rows).toEqual(expect.arrayContaining(Object.keys(SHOWN)));
    expect(Object.keys(SHOWN)).toEqual(expect.arrayContaining(rows));
  });

  it('is shown by tests that exist', async () => {
    const titles = await allTitles();
    const lost = Object.values(SHOWN).flat();
    expect(lost.filter((title) => !titles.has(title))).toEqual([]);
  });

  it('has a row for every fault that is tested', async () => {
    const shown = [...Object.values(SHOWN).flat(), ...NO_ROW];
    const titles = await titlesIn('test/e2e/faults.e2e-spec.ts');
    expect(titles.length).toBeGreaterThan(20);
    expect(titles.filter((title) => !shown.includes(title))).toEqual([]);
  });
});

describe('The page about fleets', () => {
  let page: string;
  let redis: string;

  beforeAll(async () => {
    [page, redis] = await Promise.all([read('docs/fleet.md'), read('src/redis.ts')]);
  });

  it('names a test that exists in each row of its faults, and every test of a fault', async () => {
    const titles = await allTitles();
    const rows = tableUnder(page, 'What happens when');
    const named = rows.map(([, , tests = '']) => [...tests.matchAll(/_(.+?)_(?:,|$)/g)]);
    expect(named.every((tests) => tests.length > 0)).toBe(true);
    const all = named.flat().map(([, title = '']) => title);
    expect(all.filter((title) => !titles.has(title))).toEqual([]);
    const faults = await titlesIn('test/e2e/faults.e2e-spec.ts');
    expect(faults.filter((title) => !all.includes(title))).toEqual([]);
  });

  it('says each guarantee that is tested', async () => {
    const said = tableUnder(page, 'What is guaranteed').map(([name = '']) => name);
    const titles = await titlesIn('test/e2e/guarantees.e2e-spec.ts');
    const tested = titles.map((title) => textIn(title, /^(G\d+ [^:]+):/));
    expect(tested).toHaveLength(14);
    expect(said.map((name) => name.replace(' (`outbox`)', ''))).toEqual(tested);
  });

  it('lists every option with its default', () => {
    const declared = textIn(redis, /interface RedisRevocationLogOptions \{(.+?)\n\}/s);
    const options = declared.matchAll(/@default (\S+) \*\/\s+(\w+)\?:/g);
    const expected = [...options].map(([, value, name]) => [name, value]);
    expect(expected).toHaveLength(10);
    const rows = tableUnder(page, 'Options of `redisRevocationLog`');
    const said = rows.map(([name = '', value = '']) => [
      name.replaceAll('`', '').replace(/^.+\./, ''),
      value.replaceAll('`', '').replaceAll(' ', '_'),
    ]);
    expect(said.filter(([name]) => name !== 'connect')).toEqual(expected);
  });

  it('asks for the rights that are tested', async () => {
    const contract = await read('test/contract/acl.e2e-spec.ts');
    const rights = (name: string): string =>
      textIn(contract, new RegExp(`const ${name} = '(.+)';`))
        .split(' ')
        .map((right) => `+${right}`)
        .join(' ');
    const connecting = textIn(contract, /const CONNECTING = \[(.+)\];/).replaceAll(/[',]/g, '');
    const all = connecting.split(' ').map((right) => `+${right}`);
    expect(page).toContain(`-@all ${all.join(' ')} ${rights('LOG')}\n`);
    expect(page).toContain(`\`${rights('OUTBOX')}\``);
    expect(page).toContain(`\`${rights('JANITOR')}\``);
    expect(page).toContain(` ${textIn(contract, /const KEYS = '(.+)';/)} `);
  });

  it('says what every alarm of the log means', async () => {
    const alarms = textIn(await read('src/core/channels.ts'), /readonly alarm:(.+?);/s);
    const known = [...alarms.matchAll(/'(\w+)'/g)].map(([, code]) => code);
    const rows = tableUnder(page, 'What operators are told');
    const said = rows.map(([code = '']) => code.replaceAll('`', ''));
    expect(said.filter((code) => !known.includes(code))).toEqual([]);
    expect(known.filter((code) => code?.startsWith('log_') && !said.includes(code))).toEqual([]);
  });
});

describe('The page about NATS', () => {
  let page: string;
  let contract: string;

  beforeAll(async () => {
    const paths = ['docs/nats.md', 'test/contract/nats-log.e2e-spec.ts'] as const;
    [page, contract] = await Promise.all([read(paths[0]), read(paths[1])]);
  });

  it('names a test that exists in each row of its faults', async () => {
    const titles = await allTitles();
    const rows = tableUnder(page, 'What happens when');
    const named = rows.map(([, , tests = '']) => /^_(.+)_$/.exec(tests)?.[1] ?? '');
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((title) => !titles.has(title))).toEqual([]);
  });

  it('lists every option with its default', async () => {
    const source = await read('src/nats.ts');
    const declared = textIn(source, /interface NatsRevocationLogOptions \{(.+?)\n\}/s);
    const options = declared.matchAll(/@default (\S+) \*\/\s+(\w+)\?:/g);
    const expected = [...options].map(([, value, name]) => [name, value]);
    expect(expected).toHaveLength(6);
    const said = tableUnder(page, 'Options of `natsRevocationLog`').map(
      ([name = '', value = '']) => [
        name.replaceAll('`', ''),
        value.replaceAll('`', '').replaceAll(' ', '_'),
      ],
    );
    expect(said.filter(([name]) => name !== 'connect')).toEqual(expected);
  });

  it('asks for the rights that are tested', () => {
    const rightsIn = (text: string, pattern: RegExp): string[] =>
      [...textIn(text, pattern).matchAll(/['"]([^'"]+)['"]/g)].map(([, right = '']) => right);
    const publish = rightsIn(page, /publish: \[(.+)\]/);
    expect(publish).toEqual(rightsIn(contract, /const PUBLISH = \[(.+?)\];/s));
    const subscribed = rightsIn(page, /subscribe: \[(.+)\]/);
    expect(subscribed).toEqual(rightsIn(contract, /const SUBSCRIBE = \[(.+)\];/));
    expect(publish.length + subscribed.length).toBe(7);
  });

  it('says every setting of a stream that is tested', () => {
    const tested = [...contract.matchAll(/^ {4}\['(\w+)', \{/gm)].map(([, name = '']) => name);
    expect(tested.length).toBeGreaterThan(5);
    const rare = ['discard_new_per_subject', 'no_ack'];
    expect(tested.filter((name) => !rare.includes(name) && !page.includes(`\`${name}\``))).toEqual(
      [],
    );
  });
});

describe('The page about doors', () => {
  it.each([
    ['Back-channel logout', 'BackchannelLogoutOptions', 'backchannel-logout', ''],
    ["GenAuth's webhooks", 'GenAuthWebhookOptions', 'webhook', ''],
    ['Shared Signals', 'TransmitterOptions', 'security-events', ''],
    ['Shared Signals', 'PollOptions', 'security-events', 'poll.'],
    ['Event hub', 'EventHubOptions', 'event-hub', ''],
  ])('lists under %s every option of %s, with its default', async (heading, name, file, prefix) => {
    const source = await read(`src/doors/${file}.options.ts`);
    const declared = textIn(source, new RegExp(`interface ${name} \\{\n(.+?)\n\\}`, 's'));
    const rows = tableUnder(await read('docs/doors.md'), heading);
    const said = new Map(
      rows.map(([option = '', value = '']) => [
        option.replaceAll('`', ''),
        value.replaceAll('`', '').replaceAll(' ', '_'),
      ]),
    );
    const names = [...declared.matchAll(/^ {2}(\w+)\??:/gm)].map(([, option]) => prefix + option);
    expect(names.length).toBeGreaterThan(1);
    // A group has a row for each of its members.
    const grouped = names.filter((option) =>
      [...said.keys()].some((row) => row === `${option}.endpoint`),
    );
    expect(names.filter((option) => !said.has(option) && !grouped.includes(option))).toEqual([]);
    // Defaults of one word; what takes more is told in other words on the page.
    const defaults = declared.matchAll(/@default (\S+)(?: \*\/|\n +\*\/)\n {2}(\w+)\?:/g);
    for (const [, value, option] of defaults) {
      expect([option, said.get(`${prefix}${option}`)]).toEqual([option, value]);
    }
  });
});

@Controller('health')
class HealthController {
  constructor(private readonly tokens: TokenService) {}

  @Get('ready')
  @Public()
  ready() {
    const state = this.tokens.readiness();
    if (state === 'not_ready') throw new ServiceUnavailableException({ state });
    return { state, ageMs: this.tokens.freshness().ageMs };
  }
}

describe('The readiness probe of the page about fleets', () => {
  let genauth: FakeGenAuth;
  beforeAll(async () => {
    genauth = await FakeGenAuth.start({ applications: [{ alg: 'ES256' }] });
  });
  afterAll(() => genauth.stop());

  it('is the one below', async () => {
    const own = await read('test/e2e/documents.e2e-spec.ts');
    const code = textIn(await read('docs/fleet.md'), /```ts\n(@Controller.+?)```/s);
    expect(code).not.toBe('');
    expect(own).toContain(code.replace('export ', ''));
  });

  it.each([
    ['catching-up', 503, 'not_ready'],
    ['live', 200, 'ready'],
    ['stale', 200, 'degraded'],
  ] as const)('says of a log that is %s: %i', async (state, status, readiness) => {
    const log = new ControlledLog();
    const options = { ...genauth.application.options(), revocation: { log } };
    const app = await startGuardedApp(options, { controllers: [HealthController] });
    log.state = state;
    const answer = await app.call('/health/ready');
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ state: readiness });
    await app.close();
  });
});

describe('The documents', () => {
  it.each(DOCUMENTS)('link to files that exist: %s', async (path) => {
    const links = (await read(path)).matchAll(/\]\((?!https?:)([^)#]+)/g);
    for (const [, link = ''] of links) expect(await read(join(dirname(path), link))).not.toBe('');
  });

  it.each(DOCUMENTS)('name scripts that exist: %s', async (path) => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: object };
    const named = (await read(path)).matchAll(/npm run (?:-s )?([\w:]+)/g);
    expect(
      [...named].map(([, script]) => script).filter((name) => !(`${name}` in scripts)),
    ).toEqual([]);
  });
});
