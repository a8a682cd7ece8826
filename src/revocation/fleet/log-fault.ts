/** Something an operator has to set right; the message names the setting and holds no secret. */
export class LogFault extends Error {
  /** @param isFinal nothing that happens by itself will mend it */
  constructor(
    message: string,
    readonly isFinal = false,
  ) {
    super(message);
  }
}
