import type { Machine } from './machine.js';
import { type Change, idOf, isBefore, parseId, RedisData, type StoredEntry } from './redis-data.js';

/** What a server keeps of one connection. */
export interface Session {
  /** The commands since MULTI. */
  queue?: (readonly string[])[] | undefined;
  isDirty?: boolean;
  /** How far the writes of this connection reach. */
  wroteThrough: number;
}

export type Answer = (reply: unknown) => void;

/** A replica as its master sees it. */
interface Attached {
  readonly node: RedisNode;
  /** Undefined until it has all the data. */
  ackedThrough: number | undefined;
  ackedAt: number;
  applied: number;
}

interface Waiting {
  /** @returns whether it was answered */
  readonly retry: () => boolean;
}

const WRITES = new Set(['XADD', 'HSETNX', 'XTRIM']);

/** A Redis server, as far as the log needs one. */
export class RedisNode {
  data = new RedisData();
  isUp = true;
  /** Undefined while it is a replica. */
  replicationId: string | undefined;
  #history: Change[] = [];
  #attached: Attached | undefined;
  #waiting: Waiting[] = [];
  /** The line between this master and its replica. */
  isCut = false;

  constructor(readonly machine: Machine) {}

  get isMaster(): boolean {
    return this.replicationId !== undefined;
  }

  get hasSyncedReplica(): boolean {
    return this.#attached?.ackedThrough !== undefined;
  }

  promote(): void {
    this.replicationId = this.machine.world.random.digest();
    this.#history = [];
    this.#attached = undefined;
    this.isCut = false;
  }

  demote(): void {
    this.replicationId = undefined;
    this.#attached = undefined;
    this.#waiting = [];
  }

  /** The replica gets all the data, and from then on every change. */
  attach(node: RedisNode): void {
    const attached = { node, ackedThrough: undefined, ackedAt: this.#now, applied: 0 };
    this.#attached = attached;
    this.#beat(attached, true);
  }

  change(change: Change): void {
    this.data.apply(change);
    this.#history.push(change);
    this.#replicateSoon();
    this.#retry();
  }

  /** Runs a command and answers, sooner or later. */
  execute(session: Session, command: readonly string[], answer: Answer): void {
    const [name = ''] = command;
    if (name === 'EXEC') answer(this.#exec(session));
    else if (name === 'MULTI') {
      session.queue = [];
      session.isDirty = false;
      answer('OK');
    } else if (session.queue) {
      if (this.#isForbidden(name)) session.isDirty = true;
      else session.queue.push(command);
      answer(session.isDirty ? new Error('READONLY') : 'QUEUED');
    } else if (name === 'WAIT') this.#wait(session, command, answer);
    else if (name === 'XREAD') this.#read(command, answer);
    else answer(this.#run(session, command));
  }

  #exec(session: Session): unknown {
    const queue = session.queue ?? [];
    session.queue = undefined;
    if (session.isDirty) return new Error('EXECABORT');
    return queue.map((command) => this.#run(session, command));
  }

  #isForbidden(name: string): boolean {
    return !this.isMaster && WRITES.has(name);
  }

  #run(session: Session, [name = '', key = '', ...args]: readonly string[]): unknown {
    if (this.#isForbidden(name)) return new Error('READONLY');
    const reply = this.#perform(name, key, args);
    if (WRITES.has(name)) session.wroteThrough = this.#history.length;
    return reply;
  }

  #perform(name: string, key: string, args: readonly string[]): unknown {
    switch (name) {
      case 'TIME':
        return [`${Math.floor(this.#now / 1_000)}`, `${(this.#now % 1_000) * 1_000}`];
      case 'INFO':
        return this.#info();
      case 'HGET':
        return this.data.field(key, args[0] ?? '');
      case 'HSETNX':
        return this.#setNew(key, args);
      case 'XADD':
        return this.#add(key, args.slice(1));
      case 'XTRIM':
        return this.#trim(key, args);
      case 'XRANGE':
        return this.#range(key, args);
      case 'XREVRANGE':
        return this.#newestThrough(key, args);
      case 'XINFO':
        return this.#describe(args[0] ?? '');
      default:
        return new Error(`unknown command ${name}`);
    }
  }

  #setNew(key: string, [field = '', value = '']: readonly string[]): number {
    if (this.data.field(key, field) !== null) return 0;
    this.change({ is: 'set', key, field, value });
    return 1;
  }

  #add(key: string, fields: readonly string[]): string {
    const entry = { ...this.data.nextId(key, this.#now), fields };
    this.change({ is: 'add', key, entry });
    return idOf(entry);
  }

  #trim(key: string, args: readonly string[]): number {
    const before = parseId(args[2] ?? '0-0');
    const entries = this.data.stream(key)?.entries ?? [];
    const count = entries.filter((one) => isBefore(one, before)).length;
    if (count > 0) this.change({ is: 'trim', key, before });
    return count;
  }

  #range(key: string, [from = '-', , , count = '1']: readonly string[]): unknown {
    const entries = this.data.stream(key)?.entries ?? [];
    const after = from.startsWith('(') ? parseId(from.slice(1)) : undefined;
    const first = after ? entries.findIndex((one) => isBefore(after, one)) : 0;
    return first < 0 ? [] : entries.slice(first, first + Number(count)).map(rowOf);
  }

  #newestThrough(key: string, [through = '+']: readonly string[]): unknown {
    const most = { ms: Number(through), seq: Infinity };
    const found = (this.data.stream(key)?.entries ?? []).filter((one) => isBefore(one, most));
    return found.slice(-1).map(rowOf);
  }

  #describe(key: string): unknown {
    const stream = this.data.stream(key);
    if (!stream) return new Error('ERR no such key');
    const [first] = stream.entries;
    return [
      ...['length', stream.entries.length, 'last-generated-id', idOf(stream.last)],
      ...['max-deleted-entry-id', '0-0', 'entries-added', stream.added],
      ...['first-entry', first ? rowOf(first) : null],
    ];
  }

  #info(): string {
    const lines = ['aof_enabled:1', `role:${this.isMaster ? 'master' : 'slave'}`];
    lines.push(`master_replid:${this.replicationId ?? 'none'}`);
    if (this.#attached) {
      const { ackedThrough, ackedAt } = this.#attached;
      const lag = Math.floor((this.#now - ackedAt) / 1_000);
      const status = ackedThrough === undefined ? 'wait_bgsave' : 'online';
      lines.push('connected_slaves:1', `slave0:ip=r,port=1,state=${status},offset=1,lag=${lag}`);
    }
    return lines.join('\r\n');
  }

  #wait(session: Session, [, count = '', ms = '']: readonly string[], answer: Answer): void {
    const reached = (): number =>
      (this.#attached?.ackedThrough ?? -1) >= session.wroteThrough ? 1 : 0;
    if (!this.isMaster) answer(new Error('ERR WAIT cannot be used with replica instances'));
    else
      this.#until(
        Number(ms),
        () => reached() >= Number(count),
        () => answer(reached()),
      );
  }

  #read(command: readonly string[], answer: Answer): void {
    const [key = '', cursor = ''] = command.slice(command.indexOf('STREAMS') + 1);
    const ms = Number(command[command.indexOf('BLOCK') + 1]);
    const rows = (): unknown[] => this.#range(key, [`(${cursor}`, '+', 'COUNT', '1']) as unknown[];
    const reply = (): void => answer(rows().length > 0 ? [[key, rows()]] : null);
    this.#until(ms, () => rows().length > 0, reply);
  }

  #until(ms: number, holds: () => boolean, answer: () => void): void {
    let isOver = false;
    const finish = (): boolean => {
      if (!isOver) answer();
      return (isOver = true);
    };
    if (holds()) {
      finish();
      return;
    }
    this.#waiting.push({ retry: () => isOver || (holds() && finish()) });
    this.machine.setTimeout(finish, ms);
  }

  #retry(): void {
    this.#waiting = this.#waiting.filter(({ retry }) => !retry());
  }

  #replicateSoon(): void {
    const attached = this.#attached;
    const { random, after } = bound(this.machine);
    if (attached)
      after(random.between(0.2, random.chance(0.2) ? 400 : 5), () => this.#sync(attached));
  }

  /** A replica reports once a second. */
  #beat(attached: Attached, isFirst = false): void {
    const { random, after } = bound(this.machine);
    after(isFirst ? random.between(50, 500) : 1_000, () => {
      if (this.#attached !== attached) return;
      this.#sync(attached);
      this.#beat(attached);
    });
  }

  #sync(attached: Attached): void {
    const { node } = attached;
    const isOff =
      !this.isUp || !node.isUp || this.isCut || this.machine.isPaused || node.machine.isPaused;
    if (isOff || this.#attached !== attached) return;
    if (attached.ackedThrough === undefined) node.data = this.data.copy();
    else for (const change of this.#history.slice(attached.applied)) node.data.apply(change);
    attached.applied = this.#history.length;
    attached.ackedThrough ??= -1;
    const reached = this.#history.length;
    const { random, after } = bound(this.machine);
    after(random.between(0.2, 3), () => {
      if (this.#attached !== attached || this.isCut || !this.isUp) return;
      attached.ackedThrough = Math.max(attached.ackedThrough ?? -1, reached);
      attached.ackedAt = this.#now;
      this.#retry();
    });
  }

  get #now(): number {
    return this.machine.wall();
  }
}

function bound({ world }: Machine) {
  return {
    random: world.random,
    after: (ms: number, run: () => void): void => world.after(ms, run),
  };
}

function rowOf(entry: StoredEntry): [string, readonly string[]] {
  return [idOf(entry), entry.fields];
}
