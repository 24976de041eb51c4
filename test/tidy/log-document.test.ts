/**
 * Holds `docs/reference/log-format.md` against the table of records: what the document says of each record is
 * enough to write bytes that the code reads, and to read bytes that the code writes.
 */

import { describe, expect, test } from 'vitest';
import { bulkActions } from '../../core/broker/state-machine/records/queue-records.ts';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
} from '../../core/broker/state-machine/records/records.ts';
import {
  type FieldsCodec,
  type FieldType,
  fieldsCodec,
  Writer,
} from '../../core/protocol/index.ts';
import * as structs from '../../core/protocol/structs.ts';
import { section, tableRows } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

const document = section(readText('docs/reference/log-format.md'), '## Records');

/** A row of the table as the document has it. */
interface Row {
  readonly number: number;
  readonly name: string;
  readonly fields: string;
}

const rows: readonly Row[] = tableRows(document)
  .filter((row) => row.length === 5)
  .map(([number = '', name = '', fields = '']) => ({ number: Number(number), name, fields }));

const simple = ['u8', 'u16', 'u32', 'u53', 'bool', 'text', 'bytes', 'id'] as const;

/** Names of types beyond the simple ones; those of the protocol are held against its document. */
const named = new Map<string, FieldType>([
  ['jobState', { enum: structs.jobStates }],
  ['leaseEnd', { enum: structs.leaseEnds }],
  ['priority', { enum: structs.priorities }],
  ['usage', structs.usage],
  ['value', structs.value],
  ['output', structs.output],
  ['blobRef', structs.blobRef],
  ['leaseEndInfo', structs.leaseEndInfo],
  ['budget', structs.budget],
  ['callEnd', { enum: structs.callEnds }],
  ['bulkAction', { enum: enumOf(/`bulkAction` one of ([^.]+)\./) }],
  ['grant', { struct: fieldsOf(/`grant` is \(([^)]+)\)/.exec(document)?.[1] ?? '') }],
  ['projectedJob', { struct: fieldsOf(/`projectedJob` \(([^)]+)\)/.exec(document)?.[1] ?? '') }],
  ['heldBudget', { struct: fieldsOf(/`heldBudget` \(([^)]+)\)/.exec(document)?.[1] ?? '') }],
  ['newJob', { struct: fieldsOf(/`newJob` is \(([^)]+)\)/.exec(document)?.[1] ?? '') }],
]);
named.set('countedCharge', {
  struct: fieldsOf(/`countedCharge` \(([^)]+)\)/.exec(document)?.[1] ?? ''),
});

function typeOf(text: string): FieldType {
  const [, wrapper, inner = ''] = /^(list of|optional) (.+)$/.exec(text) ?? [];
  if (wrapper === 'list of') return { list: typeOf(inner) };
  if (wrapper === 'optional') return { optional: typeOf(inner) };
  const type = simple.find((name) => name === text) ?? named.get(text);
  if (type === undefined) throw new Error(`the document names a type that is not known: ${text}`);
  return type;
}

function fieldsOf(text: string): Record<string, FieldType> {
  if (text === 'none') return {};
  const fields = text.split(', ').map((field) => {
    const [name = '', type = ''] = field.split(': ');
    return [name, typeOf(type)] as const;
  });
  return Object.fromEntries(fields);
}

/** An enum as the document lists it: `1 purge, 2 retryDead`. */
function enumOf(pattern: RegExp): Record<string, number> {
  const list = pattern.exec(document)?.[1] ?? '';
  const entries = list.split(', ').map((entry) => entry.split(' '));
  return Object.fromEntries(entries.map(([number, name = '']) => [name, Number(number)]));
}

/** A value of the type, another one at each call, so that exchanged fields show. */
function sampleOf(type: FieldType, next: () => number): unknown {
  if (typeof type === 'object') {
    if ('list' in type) return [sampleOf(type.list, next), sampleOf(type.list, next)];
    if ('optional' in type) return sampleOf(type.optional, next);
    if ('struct' in type) return sampleOfFields(type.struct, next);
    const names = Object.keys(type.enum);
    return names[next() % names.length];
  }
  if (type === 'bool') return true;
  if (type === 'text') return `text ${next()}`;
  if (type === 'bytes') return Uint8Array.of(next(), next());
  // The last character of an id ends in padding.
  return type === 'id' ? `${next()}0`.padStart(26, '0') : next();
}

function sampleOfFields(fields: Readonly<Record<string, FieldType>>, next: () => number): object {
  const entries = Object.entries(fields).map(([name, type]) => [name, sampleOf(type, next)]);
  return Object.fromEntries(entries);
}

/** The codec without its types: those of a document are not known to the compiler. */
const codecOf = fieldsCodec as unknown as (
  fields: Readonly<Record<string, FieldType>>,
) => FieldsCodec<object>;

/** Bytes and content of one record, made from nothing but its row. */
function recordOf({ number, name, fields }: Row): { bytes: Uint8Array; record: LogRecord } {
  const types = fieldsOf(fields);
  let count = 10;
  const sample = sampleOfFields(types, () => count++);
  const writer = new Writer(1024);
  writer.u8(number);
  codecOf(types).encode(writer, sample);
  return { bytes: writer.written(), record: { kind: name, ...sample } as unknown as LogRecord };
}

describe('docs/reference/log-format.md', () => {
  test.each(rows)('record $number, $name, is read and written as its row says', (row) => {
    const { bytes, record } = recordOf(row);
    expect(decodeRecord(bytes)).toEqual(record);
    expect(Buffer.from(encodeRecord(record)).equals(bytes)).toBe(true);
  });

  test('lists every kind of record in order, and no other', () => {
    const known = Array.from({ length: 256 }, (_, number) => number).filter(isKnown);
    // 16 and 17 are read as 15: see its row. Records of 3, 4 and 21 to 23 are read in the layout of earlier builds.
    const retired = [3, 4, 16, 17, 21, 22, 23];
    expect(known).toEqual(expect.arrayContaining(retired));
    expect(rows.map(({ number }) => number)).toEqual(
      known.filter((number) => !retired.includes(number)),
    );
    expect(known.length).toBeGreaterThan(20);
  });

  test('lists the bulk actions', () => {
    expect(named.get('bulkAction')).toEqual({ enum: bulkActions });
  });

  test('is compared by bytes: an exchanged field, a missing one and another width all show', () => {
    const stepped = (fields: string) => recordOf({ number: 24, name: 'bulkStepped', fields });
    const read = (fields: string): LogRecord => decodeRecord(stepped(fields).bytes);
    expect(read('bulk: u53, touched: u53, nextSeq: u53')).toEqual(
      stepped('bulk: u53, touched: u53, nextSeq: u53').record,
    );
    const exchanged = 'touched: u53, bulk: u53, nextSeq: u53';
    expect(read(exchanged)).not.toEqual(stepped(exchanged).record);
    expect(() => read('bulk: u53, touched: u53')).toThrow();
    expect(() => read('bulk: u53, touched: u53, nextSeq: u32')).toThrow();
    expect(() => read('bulk: u53, touched: u53, nextSeq: u53, more: u8')).toThrow();
  });
});

/** Whether the code knows a kind: what it says of an empty record tells. */
function isKnown(number: number): boolean {
  try {
    decodeRecord(Uint8Array.of(number));
    return true;
  } catch (error) {
    return !/unknown kind/.test(String(error));
  }
}
