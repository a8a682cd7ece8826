import type { IncomingHttpHeaders } from 'node:http';
import { invalidRequest, type Answer } from './answer.js';
import type { FakeApplication, Protocol } from './application.js';
import type { Endpoint } from './request-log.js';
import type { UserPool } from './user-pool.js';

/** A request as an endpoint sees it: routed, read, and with the path prefix taken off. */
export interface EndpointRequest {
  readonly method: string;
  readonly path: string;
  readonly endpoint: Endpoint;
  readonly protocol: Protocol;
  /** Whose address was called. */
  readonly application: FakeApplication;
  /** The applications that may authenticate here. */
  readonly clients: readonly FakeApplication[];
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** Answers one kind of request, or throws a `Refusal`. */
export type Responder = (request: EndpointRequest, pool: UserPool) => Answer;

/** Refuses a form that gives one of the fields twice. */
export function rejectRepeated(form: URLSearchParams, names: readonly string[]): void {
  const repeated = names.filter((name) => form.getAll(name).length > 1);
  if (repeated.length === 0) return;
  const list = repeated.map((name) => `'${name}'`).join(', ');
  throw invalidRequest(
    `${list} parameter${repeated.length > 1 ? 's' : ''} must not be provided twice`,
  );
}

/** The field's value; an empty one counts as missing. */
export function requiredField(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (!value) throw invalidRequest(`missing required parameter '${name}'`);
  return value;
}
