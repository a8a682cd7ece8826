/** `true` when both types are the same, modifiers included; else `false`. */
export type Equals<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only for `true`. */
export function holds<Claim extends true>(): Claim | void {}

holds<Equals<string, string>>();
holds<Equals<{ readonly a: 1 }, { readonly a: 1 }>>();
// @ts-expect-error a string is not a number
holds<Equals<string, number>>();
// @ts-expect-error one can be written to
holds<Equals<{ readonly a: 1 }, { a: 1 }>>();
// @ts-expect-error one may be absent
holds<Equals<{ a?: 1 }, { a: 1 }>>();
// @ts-expect-error any is not unknown
holds<Equals<unknown, ReturnType<typeof JSON.parse>>>();
