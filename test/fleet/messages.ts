import type { FakeApplicationSettings } from 'nestjs-genauth/testing';

/** What an instance is told at its start. */
export interface InstanceSettings {
  readonly genauth: FakeApplicationSettings;
  readonly redisUrl: string;
  readonly maxStaleness: number;
  readonly replicas: number;
  /** With one, the instance has a door for webhooks. */
  readonly webhookSecret?: string | undefined;
}

/** What an instance has used so far. Memory in bytes. */
export interface Usage {
  readonly rss: number;
  /** After a collection. */
  readonly heap: number;
  readonly cpuMs: number;
}

/** What an instance says of a revocation. Instants are epoch milliseconds. */
export interface RevokeReply {
  readonly acknowledgedAt?: number;
  /** The code of the error. */
  readonly failure?: string;
}
