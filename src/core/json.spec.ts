import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { isJsonObject, type JsonObject, readJsonObject } from './json.js';

function read(text: string): JsonObject {
  const value = readJsonObject(text);
  if (value === undefined || value === 'duplicate') throw new Error(`not read: ${String(value)}`);
  return value;
}

/** Every object and array below, however deep; does not recurse. */
function nodes(root: object): object[] {
  const found: object[] = [];
  const open: object[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    found.push(node);
    for (const child of Object.values(node) as unknown[]) {
      if (typeof child === 'object' && child !== null) open.push(child);
    }
  }
  return found;
}

// Names and texts with whatever confuses a counter of members: colons, quotes, escapes, braces.
const tricky = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(':', '"', '\\', '{', '}', ',', 'a', '\u2028', '\ud800') }),
);
const object = fc
  .object({ key: tricky, values: [tricky, fc.double(), fc.boolean(), fc.constant(null)] })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('__proto__'));

describe('readJsonObject', () => {
  it('reads what JSON.parse reads, for any object', () => {
    fc.assert(
      fc.property(object, (text) => {
        expect(readJsonObject(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds one repeated member anywhere in any object', () => {
    fc.assert(
      fc.property(object, tricky, fc.nat(), (text, name, place) => {
        const braces = [...text.replace(/"(?:[^"\\]|\\.)*"/g, blank).matchAll(/\{/g)];
        const at = (braces[place % braces.length]?.index ?? 0) + 1;
        const member = `${JSON.stringify(name)}:0`;
        const comma = text[at] === '}' ? '' : ',';
        const repeated = `${text.slice(0, at)}${member},${member}${comma}${text.slice(at)}`;
        expect(readJsonObject(repeated)).toBe('duplicate');
      }),
    );
  });

  it.each([
    ['at the top', '{"a":1,"a":1}'],
    ['at the top, apart', '{"a":1,"b":2,"c":{"a":3},"a":4}'],
    ['in a nested object', '{"x":{"y":{"a":1,"a":2}}}'],
    ['in an object in a list', '{"x":[0,[{"a":1,"a":2}]]}'],
    ['one of them escaped', '{"a":1,"\\u0061":2}'],
    ['both escaped, in different letter case', '{"\\u004a":1,"\\u004A":2}'],
    ['an escaped solidus', '{"a/b":1,"a\\/b":2}'],
    ['with a colon in the name', '{"a:b":1,"a:b":2}'],
    ['with a quote in the name', '{"a\\":":1,"a\\u0022:":2}'],
    ['the empty name', '{"":1,"":2}'],
    ['of equal objects', '{"a":{"b":1},"a":{"b":1}}'],
    ['where the first one held more', '{"a":{"b":1,"c":2},"a":0}'],
    ['__proto__', '{"__proto__":1,"__proto__":2}'],
    ['__proto__, escaped', '{"__proto__":{},"\\u005f_proto__":{}}'],
    ['inside of a dropped __proto__', '{"__proto__":{"a":1,"a":2}}'],
    ['constructor', '{"constructor":1,"constructor":2}'],
  ])('calls a repeated member a duplicate: %s', (_, text) => {
    expect(readJsonObject(text)).toBe('duplicate');
  });

  it.each([
    ['the same name at different depths', '{"a":{"a":{"a":1}}}'],
    ['the same name in neighbours', '{"x":[{"a":1},{"a":2}]}'],
    ['names that differ in letter case', '{"a":1,"A":2}'],
    ['names that differ in normal form', '{"\\u00e9":1,"e\\u0301":2}'],
    ['colons in texts', '{"iss":"https://a:1/","b":["::",":"]}'],
    ['members written inside of texts', '{"a":"{\\"a\\":1,\\"a\\":2}"}'],
    ['a text that ends in a backslash', '{"a":"\\\\","b":":\\\\\\":"}'],
    ['names an array has', '{"length":1,"x":[1,2],"0":3}'],
    ['white space around colons', '{ "a" : 1 ,\n\t"b"\r:\n{ } }'],
  ])('does not take for a duplicate: %s', (_, text) => {
    expect(readJsonObject(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    ' ',
    'null',
    'true',
    '1',
    '"a"',
    '[]',
    '[{"a":1}]',
    '{',
    '{"a":1',
    '{"a":1}}',
    '{"a":1}{"b":2}',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '{"a":NaN}',
    '{"a":01}',
    '{"a":1}//',
    '\ufeff{"a":1}',
    '{"a":"\n"}',
    '{"a":1}\0',
  ])('reads nothing from what is no JSON object: %j', (text) => {
    expect(readJsonObject(text)).toBeUndefined();
  });

  const nested = (levels: number) => [
    '{"a":'.repeat(levels) + '1' + '}'.repeat(levels),
    `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`,
    '{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2),
  ];

  it.each(nested(64))('reads and freezes 64 nested levels, %#', (text) => {
    const found = nodes(read(text));
    expect(found.length).toBe(64);
    expect(found.every((node) => Object.isFrozen(node))).toBe(true);
  });

  it.each([...nested(66), ...nested(10_000)])('reads nothing that nests deeper, %#', (text) => {
    expect(readJsonObject(text)).toBeUndefined();
  });

  it('finds the duplicate under sixty-three objects', () => {
    const text = `${'{"a":'.repeat(63)}{"b":1,"b":2}${'}'.repeat(63)}`;
    expect(readJsonObject(text)).toBe('duplicate');
  });

  it('reads a text and a name of a million characters', () => {
    const long = ':"'.repeat(500_000);
    expect(read(JSON.stringify({ long, [long]: 1 }))).toEqual({ long, [long]: 1 });
  });

  it.each([
    ['at the top', '{"a":1,"__proto__":{"admin":true}}'],
    ['when escaped', '{"a":1,"\\u005f\\u005fproto__":{"admin":true}}'],
    ['when it is no object', '{"a":1,"__proto__":"admin"}'],
    ['when it is a list of objects', '{"a":1,"__proto__":[{"admin":true},{"b":{"c":1}}]}'],
    ['when it holds another', '{"a":1,"__proto__":{"__proto__":{"admin":true}}}'],
  ])('drops a member called __proto__ %s', (_, text) => {
    const value = read(text);
    expect(Object.keys(value)).toEqual(['a']);
    expect(Object.getPrototypeOf({ ...value })).toBe(Object.prototype);
    expect(Object.getPrototypeOf(Object.assign({}, value))).toBe(Object.prototype);
    expect(value['admin']).toBeUndefined();
  });

  it('drops members called __proto__ at every depth', () => {
    const value = read(
      '{"x":{"__proto__":{"y":1},"z":[{"__proto__":null,"w":[{"__proto__":2}]}]}}',
    );
    for (const node of nodes(value)) {
      expect(Object.hasOwn(node, '__proto__')).toBe(false);
    }
    expect(value).toEqual({ x: { z: [{ w: [{}] }] } });
  });

  it('keeps members called constructor and prototype as plain members', () => {
    const value = read('{"constructor":{"prototype":{"admin":true}},"toString":1}');
    expect(Object.keys(value)).toEqual(['constructor', 'toString']);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('freezes every object and list of any object', () => {
    fc.assert(
      fc.property(object, (text) => {
        expect(nodes(read(text)).every((node) => Object.isFrozen(node))).toBe(true);
      }),
    );
  });
});

describe('isJsonObject', () => {
  it.each([[{}], [{ a: 1 }], [Object.create(null)]])('is true of %j', (value) => {
    expect(isJsonObject(value)).toBe(true);
  });

  it.each([[null], [undefined], [[]], ['{}'], [1], [() => ({})]])('is false of %p', (value) => {
    expect(isJsonObject(value)).toBe(false);
  });
});

function blank(text: string): string {
  return '_'.repeat(text.length);
}
