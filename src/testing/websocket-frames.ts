import { createHash } from 'node:crypto';

/** The kinds of frames (RFC 6455 §5.2). */
export const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What a client sent: one frame, unmasked. */
export interface ClientFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

const ACCEPT_SALT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The answer to a client's `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + ACCEPT_SALT)
    .digest('base64');
}

/** A whole, unmasked frame, as servers send them. */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  if (length < 126) header[1] = length;
  else if (length < 65_536) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  if (length >= 126) header[1] = length < 65_536 ? 126 : 127;
  return Buffer.concat([header, payload]);
}

/** Finds the frames in what a client sends: short ones, as those of a subscriber are. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  /** The frames that are complete with these bytes. */
  read(bytes: Buffer): ClientFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: ClientFrame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): ClientFrame | undefined {
    const [first = 0, second = 0] = this.#rest;
    // Every frame of a client has a mask of four bytes; control frames have at most 125 of content.
    const end = 6 + (second & 0x7f);
    if (this.#rest.length < end) return undefined;
    const mask = this.#rest.subarray(2, 6);
    const payload = this.#rest
      .subarray(6, end)
      .map((byte, place) => byte ^ (mask[place % 4] as number));
    this.#rest = this.#rest.subarray(end);
    return { opcode: first & 0x0f, payload: Buffer.from(payload) };
  }
}
