/**
 * The demanded scopes that `granted` does not cover, by GenAuth's rules: an item is
 * `resource`, `resource:action` or `resource:id:action`; what is left out, and `*`, means all.
 *
 * `book`, `book:*` and `*` cover `book:read`; `book:read` covers `book:1:read`, never the reverse.
 */
export function missingScopes(granted: readonly string[], demanded: readonly string[]): string[] {
  const patterns = granted.map(parts);
  return demanded.filter((scope) => {
    if (granted.includes(scope)) return false;
    const wanted = parts(scope);
    return !(wanted && patterns.some((pattern) => pattern && covers(pattern, wanted)));
  });
}

type Parts = readonly [resource: string, id: string, action: string];

/** Undefined for what is not written in GenAuth's form: such a scope is only ever equal to itself. */
function parts(scope: string): Parts | undefined {
  const [resource, second, third, ...more] = scope.split(':');
  if (!resource || second === '' || third === '' || more.length > 0) return undefined;
  return third === undefined ? [resource, '*', second ?? '*'] : [resource, second ?? '*', third];
}

function covers(pattern: Parts, wanted: Parts): boolean {
  return pattern.every((part, place) => part === '*' || part === wanted[place]);
}
