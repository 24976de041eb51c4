/**
 * Encoding and decoding of messages by walking the table of `messages.ts`. The writer and reader
 * of each field are composed once, when the module loads.
 */

import { idBytes, idFromText, idToText } from './ids.ts';
import type { FieldType, FieldValue, Message, MessageName } from './message-types.ts';
import { messages } from './messages.ts';
import { jobInfo, queueInfo } from './structs.ts';
import { malformed, type Reader, Reader as WireReader, Writer } from './wire.ts';

/** How one wire type is written and read, and the fewest bytes that it takes. */
interface FieldCodec {
  readonly bytesMin: number;
  write(writer: Writer, value: never): void;
  read(reader: Reader): unknown;
}

const primitiveCodecs = {
  u8: { bytesMin: 1, write: (w: Writer, v: number) => w.u8(v), read: (r: Reader) => r.u8() },
  u16: { bytesMin: 2, write: (w: Writer, v: number) => w.u16(v), read: (r: Reader) => r.u16() },
  u32: { bytesMin: 4, write: (w: Writer, v: number) => w.u32(v), read: (r: Reader) => r.u32() },
  u53: { bytesMin: 8, write: (w: Writer, v: number) => w.u53(v), read: (r: Reader) => r.u53() },
  bool: {
    bytesMin: 1,
    write: (w: Writer, v: boolean) => w.u8(v ? 1 : 0),
    read: (r: Reader) => r.bool(),
  },
  text: { bytesMin: 4, write: (w: Writer, v: string) => w.text(v), read: (r: Reader) => r.text() },
  bytes: {
    bytesMin: 4,
    write: (w: Writer, v: Uint8Array) => w.bytes(v),
    read: (r: Reader) => r.bytes(),
  },
  id: {
    bytesMin: idBytes,
    write: (w: Writer, v: string) => w.fill(idBytes, (into, offset) => idFromText(v, into, offset)),
    read: (r: Reader) => r.use(idBytes, idToText),
  },
} as const;

function codecOf(type: FieldType): FieldCodec {
  if (typeof type === 'string') return primitiveCodecs[type];
  if ('list' in type) return listCodec(codecOf(type.list));
  if ('optional' in type) return optionalCodec(codecOf(type.optional));
  if ('enum' in type) return enumCodec(type.enum);
  return structCodec(type.struct);
}

/** u32 count, then the elements. The count is checked against the bytes that are left. */
function listCodec(element: FieldCodec): FieldCodec {
  return {
    bytesMin: 4,
    write(writer, values: never[]) {
      writer.u32(values.length);
      for (let at = 0; at < values.length; ) {
        const piece = pieceAt(values, at);
        if (piece === undefined) element.write(writer, values[at] as never);
        else writer.raw(piece.bytes);
        at += piece?.count ?? 1;
      }
    },
    read(reader) {
      const count = reader.u32();
      if (count * Math.max(1, element.bytesMin) > reader.remaining) {
        throw malformed(`a list announces ${count} elements, more than its bytes can hold`);
      }
      const values: unknown[] = [];
      for (let index = 0; index < count; index++) values.push(element.read(reader));
      return values;
    },
  };
}

/** One byte 0 or 1, then the value when 1. */
function optionalCodec(inner: FieldCodec): FieldCodec {
  return {
    bytesMin: 1,
    write(writer, value) {
      const absent = (value as unknown) === null;
      writer.u8(absent ? 0 : 1);
      if (!absent) inner.write(writer, value);
    },
    read: (reader) => (reader.bool() ? inner.read(reader) : null),
  };
}

/** One byte that must be a value of the table. */
function enumCodec(table: Readonly<Record<string, number>>): FieldCodec {
  const nameOf = new Map(Object.entries(table).map(([name, number]) => [number, name]));
  return {
    bytesMin: 1,
    write(writer, name: string) {
      const number = table[name];
      if (number === undefined) throw new RangeError(`not a value of the enum: ${name}`);
      writer.u8(number);
    },
    read(reader) {
      const number = reader.u8();
      const name = nameOf.get(number);
      if (name === undefined) throw malformed(`an enum is ${number}`);
      return name;
    },
  };
}

/** The fields one after another, in the order of the table. */
function structCodec(fields: Readonly<Record<string, FieldType>>): FieldCodec {
  const codecs = Object.entries(fields).map(([name, type]) => ({ name, codec: codecOf(type) }));
  return {
    bytesMin: codecs.reduce((sum, { codec }) => sum + codec.bytesMin, 0),
    ...compiled(codecs),
  };
}

/**
 * The fields in straight-line code made from the table's own names: a loop that puts them into an
 * object by name takes two to three times as long, for each job several times.
 */
function compiled(
  codecs: readonly { readonly name: string; readonly codec: FieldCodec }[],
): Pick<FieldCodec, 'read' | 'write'> {
  const variables = codecs.map((_, index) => `c${index}`).join(', ');
  const writes = codecs.map(({ name }, index) => `c${index}.write(writer, value.${name});`);
  const reads = codecs.map(({ name }, index) => `${name}: c${index}.read(reader),`);
  const code = `const [${variables}] = codecs; return {
    write(writer, value) { ${writes.join(' ')} },
    read(reader) { return { ${reads.join(' ')} }; },
  };`;
  return new Function('codecs', code)(codecs.map(({ codec }) => codec));
}

const nameByOpcode = new Map<number, MessageName>();
for (const [name, { opcode }] of Object.entries(messages)) {
  nameByOpcode.set(opcode, name as MessageName);
}
/** Made on first use: a command needs few of the messages. */
const messageCodecs = new Map<MessageName, FieldCodec>();

/** The message of an opcode, or undefined for an opcode of no message. */
export function messageNameOf(opcode: number): MessageName | undefined {
  return nameByOpcode.get(opcode);
}

/** Writes the body of a message (without the frame header). */
export function encodeFields<N extends MessageName>(
  writer: Writer,
  name: N,
  fields: Message<N>,
): void {
  codecFor(name).write(writer, fields as never);
}

/**
 * Reads the body of a message. `bytes` fields are views into `body`, not copies.
 * @throws AiqError `BAD_FRAME` when the bytes do not fit, or some are left over
 */
export function decodeFields<N extends MessageName>(name: N, body: Uint8Array): Message<N> {
  const reader = new WireReader(body);
  const fields = codecFor(name).read(reader) as Message<N>;
  if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes after ${name}`);
  return fields;
}

const infoCodecs = { job: structCodec(jobInfo.struct), queue: structCodec(queueInfo.struct) };

/** Elements of a list, one after the other, that were encoded before the message that they are part of. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly last: unknown;
}

/** What is encoded ahead, before it is copied out: memory that is asked for anew each time is slow. */
const aheadBytes = 64 * 1024;
const sendWindowBytes = 1024 * 1024;
let ahead = new Writer(aheadBytes);

/** By their first element. */
const pieces = new WeakMap<object, Piece>();

/**
 * Encodes infos that will be part of a long message, so that this is done in pieces and not in one go.
 * They must not change any more. When one cannot be encoded, its message finds that out.
 */
export function encodeAhead(kind: 'job' | 'queue', infos: readonly object[]): void {
  const [first] = infos;
  if (first === undefined) return;
  ahead.truncate(0);
  try {
    for (const info of infos) infoCodecs[kind].write(ahead, info as never);
  } catch {
    return;
  }
  pieces.set(first, { bytes: ahead.written().slice(), count: infos.length, last: infos.at(-1) });
  if (ahead.length > sendWindowBytes) ahead = new Writer(aheadBytes);
}

/** What was encoded ahead of the elements from `at` on, if they are still the same. */
export function pieceAt(values: readonly unknown[], at: number): Piece | undefined {
  const first = values[at];
  const piece = typeof first === 'object' && first !== null ? pieces.get(first) : undefined;
  return piece !== undefined && values[at + piece.count - 1] === piece.last ? piece : undefined;
}

function codecFor(name: MessageName): FieldCodec {
  const known = messageCodecs.get(name);
  if (known !== undefined) return known;
  if (!Object.hasOwn(messages, name)) throw new RangeError(`no such message: ${name}`);
  const codec = structCodec(messages[name].fields);
  messageCodecs.set(name, codec);
  return codec;
}

/** Codec for a set of fields outside the message table: the log's records use it. */
export function fieldsCodec<const F extends Readonly<Record<string, FieldType>>>(
  fields: F,
): FieldsCodec<FieldValue<{ readonly struct: F }>> {
  const codec = structCodec(fields);
  return {
    encode: (writer, value) => codec.write(writer, value as never),
    decode(body, from = 0) {
      const reader = new WireReader(body, from);
      const value = codec.read(reader) as FieldValue<{ readonly struct: F }>;
      if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes after the last field`);
      return value;
    },
  };
}

/** Writes and reads one fixed set of fields; `bytes` fields are views into what was read. */
export interface FieldsCodec<T> {
  encode(writer: Writer, value: T): void;
  /**
   * @param from where the first field begins
   * @throws AiqError `BAD_FRAME` when the bytes do not fit
   */
  decode(body: Uint8Array, from?: number): T;
}
