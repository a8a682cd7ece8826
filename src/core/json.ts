/** A JSON object as it came from outside: own members only, every member of unknown type. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deeper than any token or answer; what is read can be walked by recursion, JSON.stringify for one. */
const DEEPEST = 64;

/**
 * Reads a JSON object in which no object, at any depth, names a member twice (RFC 7519 §4).
 *
 * The result is frozen all the way down and has no member called `__proto__`, so copying it cannot
 * change a prototype.
 *
 * @returns undefined when `text` is no object or nests more than 64 levels, `'duplicate'` when a name is
 *   repeated
 */
export function readJsonObject(text: string): JsonObject | 'duplicate' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const members = settle(value);
  if (members === undefined) return undefined;
  return members === writtenMembers(text) ? value : 'duplicate';
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it can name something: a string that is not empty. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

// Outside of strings, valid JSON has exactly one colon for each member.
function writtenMembers(text: string): number {
  let members = 0;
  let isString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) isString = !isString;
    else if (isString && character === BACKSLASH) at += 1;
    else if (!isString && character === COLON) members += 1;
  }
  return members;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/** Freezes everything below `root`, drops `__proto__`, and counts the members that were parsed. */
function settle(root: object): number | undefined {
  let members = 0;
  const open: [node: object, depth: number][] = [[root, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, depth] = next;
    if (depth > DEEPEST) return undefined;
    const children: unknown[] = Object.values(node);
    if (!Array.isArray(node)) {
      members += children.length;
      if (Object.hasOwn(node, '__proto__')) delete (node as Record<string, unknown>)['__proto__'];
    }
    for (const child of children) {
      if (typeof child === 'object' && child !== null) open.push([child, depth + 1]);
    }
    Object.freeze(node);
  }
  return members;
}
