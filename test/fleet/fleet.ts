import { FakeGenAuth } from 'nestjs-genauth/testing';

import { RedisServer } from '../harness/redis-server.js';
import { FleetProcess } from './fleet-process.js';

/** What it has acknowledged is still there when it was killed. */
const DURABLE = { args: ['--appendonly', 'yes', '--appendfsync', 'always'] };

export interface FleetOptions {
  readonly processes: number;
  readonly maxStaleness: number;
  readonly webhookSecret?: string;
}

/** Nest processes that share their revocations through a pair of Redis servers, and the stand-in GenAuth. */
export class Fleet {
  private constructor(
    readonly options: FleetOptions,
    readonly genauth: FakeGenAuth,
    readonly processes: readonly FleetProcess[],
    private master: RedisServer,
    private replica: RedisServer,
  ) {}

  static async start(options: FleetOptions): Promise<Fleet> {
    const genauth = await FakeGenAuth.start();
    const master = await RedisServer.start(DURABLE);
    const replica = await RedisServer.start(DURABLE);
    await replica.replicaOf(master);
    const settings = {
      genauth: genauth.application.options(),
      maxStaleness: options.maxStaleness,
      replicas: 1,
      webhookSecret: options.webhookSecret,
    };
    const names = Array.from({ length: options.processes }, (_, place) => `process ${place + 1}`);
    const processes = await Promise.all(
      names.map((name) => FleetProcess.start(name, master.port, settings)),
    );
    const fleet = new Fleet(options, genauth, processes, master, replica);
    await fleet.untilReady();
    return fleet;
  }

  get redis(): RedisServer {
    return this.master;
  }

  async untilReady(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.untilReady()));
  }

  /** The master is gone for good; its replica takes over, and gets a new replica. */
  async failOver(): Promise<void> {
    await this.master.kill();
    await this.replica.promote();
    for (const { line } of this.processes) {
      line.retarget(this.replica.port);
      line.reset();
    }
    [this.master, this.replica] = [this.replica, this.master];
    await this.replica.restart();
    await this.replica.replicaOf(this.master);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()));
    await Promise.all([this.master.stop(), this.replica.stop(), this.genauth.stop()]);
  }
}
