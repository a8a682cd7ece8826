/** A message is not to be believed, or no message at all. */
export class RefusedNews extends Error {
  /**
   * @param message for the operator: names the rule or member at fault, never its value
   * @param told for the sender, where that is more than "no"
   */
  constructor(
    message: string,
    readonly told?: string,
  ) {
    super(message);
  }
}
