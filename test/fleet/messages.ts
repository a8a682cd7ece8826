import type { FakeApplicationSettings } from 'nestjs-genauth/testing';

/** What an instance is told at its start. */
export interface InstanceSettings {
  readonly genauth: FakeApplicationSettings;
  readonly redisUrl: string;
  readonly maxStaleness: number;
  readonly replicas: number;
}

/** What an instance says of a revocation. Instants are epoch milliseconds. */
export interface RevokeReply {
  readonly acknowledgedAt?: number;
  /** The code of the error. */
  readonly failure?: string;
}
