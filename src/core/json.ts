/** A JSON object as it came from outside: own members only, every member of unknown type. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON object in which no object, at any depth, names a member twice (RFC 7519 §4).
 *
 * The result is frozen all the way down and has no member called `__proto__`, so copying it cannot
 * change a prototype.
 *
 * @returns undefined when `text` is not such an object, `'duplicate'` when a name is repeated
 */
export function readJsonObject(text: string): JsonObject | 'duplicate' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  return settle(value) === writtenMembers(text) ? value : 'duplicate';
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Outside of strings, valid JSON has exactly one colon for each member.
function writtenMembers(text: string): number {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1;
}

/** Freezes everything below `root`, drops `__proto__`, and counts the members that were parsed. */
function settle(root: object): number {
  let members = 0;
  const open: object[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const children: unknown[] = Object.values(node);
    if (!Array.isArray(node)) {
      members += children.length;
      if (Object.hasOwn(node, '__proto__')) delete (node as Record<string, unknown>)['__proto__'];
    }
    for (const child of children) {
      if (typeof child === 'object' && child !== null) open.push(child);
    }
    Object.freeze(node);
  }
  return members;
}
