/** Holds `docs/reference/protocol.md` against the tables of `core/protocol`: each row as the code has it. */

import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../core/protocol/error-codes.ts';
import { errorScopes } from '../../core/protocol/error-scopes.ts';
import { jobFields } from '../../core/protocol/job/job.ts';
import type { FieldType } from '../../core/protocol/message-types.ts';
import { messages } from '../../core/protocol/messages.ts';
import * as structs from '../../core/protocol/structs.ts';
import { section, tableRows } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

const document = readText('docs/reference/protocol.md');
const rowsOf = (heading: string, columns: number): string[][] =>
  tableRows(section(document, heading)).filter((row) => row.length === columns);

const enumNames = new Map<unknown, string>([
  [structs.jobStates, 'jobState'],
  [structs.settleOutcomes, 'outcome'],
  [structs.leaseEnds, 'leaseEnd'],
  [structs.priorities, 'priority'],
  [structs.enqueueOutcomes, 'enqueueOutcome'],
  [structs.directives, 'directive'],
  [structs.overwriteRules, 'overwrite'],
  [structs.outputStates, 'outputState'],
  [structs.budgetPeriods, 'budgetPeriod'],
  [structs.callEnds, 'callEnd'],
  [structs.parkReasons, 'parkReason'],
  [structs.budgetModes, 'budgetMode'],
  [structs.allowanceKinds, 'allowanceKind'],
]);
const structNames = new Map<unknown, string>([
  [structs.token.struct, 'token'],
  [structs.usage.struct, 'usage'],
  [structs.blobRef.struct, 'blobRef'],
  [structs.value.struct, 'value'],
  [structs.outputFile.struct, 'outputFile'],
  [structs.output.struct, 'output'],
  [structs.leaseEndInfo.struct, 'leaseEndInfo'],
  [structs.jobInfo.struct, 'jobInfo'],
  [structs.queueInfo.struct, 'queueInfo'],
  [structs.itemAnswer.struct, 'itemAnswer'],
  [structs.budget.struct, 'budget'],
  [structs.charge.struct, 'charge'],
  [structs.jobCounts.struct, 'jobCounts'],
  [structs.rateLimits.struct, 'rateLimits'],
  [structs.callRates.struct, 'callRates'],
  [structs.allowance.struct, 'allowance'],
]);

function typeText(type: FieldType): string {
  if (typeof type === 'string') return type;
  if ('list' in type) return `list of ${typeText(type.list)}`;
  if ('optional' in type) return `optional ${typeText(type.optional)}`;
  if ('enum' in type) return enumNames.get(type.enum) ?? valuesText(type.enum);
  return structNames.get(type.struct) ?? `(${fieldsText(type.struct)})`;
}

function fieldsText(fields: Readonly<Record<string, FieldType>>): string {
  const texts = Object.entries(fields).map(([name, type]) => `${name}: ${typeText(type)}`);
  return texts.join(', ') || 'none';
}

function valuesText(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, number]) => `${number} ${name}`)
    .join(', ');
}

describe('docs/reference/protocol.md', () => {
  test('lists every message with opcode, sender, answer and fields in wire order, and no other', () => {
    const expected = Object.entries(messages).map(([name, { opcode, from, answer, fields }]) => [
      String(opcode),
      name,
      from,
      answer ?? '–',
      fieldsText(fields),
    ]);
    expect(rowsOf('## Messages', 5)).toEqual(expected);
  });

  test('gives no retired number to another message or error', () => {
    const text = section(document, '### Numbers that are no longer used');
    const [, opcodes = '', codes = ''] =
      /Opcodes ([\d, and]+) and error code (\d+)/.exec(text) ?? [];
    const numbersIn = (list: string): number[] => list.match(/\d+/g)?.map(Number) ?? [];
    expect(numbersIn(opcodes)).toEqual([41, 42, 43, 52, 53, 54]);
    expect(numbersIn(codes)).toEqual([34]);
    const used = Object.values(messages).map(({ opcode }) => opcode as number);
    expect(used.filter((opcode) => numbersIn(opcodes).includes(opcode))).toEqual([]);
    const given = Object.values(errorCodes).map(({ number }) => number as number);
    expect(given.filter((number) => numbersIn(codes).includes(number))).toEqual([]);
  });

  test('lists every error code with number, retryable flag and meaning, and no other', () => {
    const expected = Object.entries(errorCodes).map(([code, { number, retryable, meaning }]) => [
      String(number),
      code,
      retryable ? 'yes' : 'no',
      meaning,
    ]);
    expect(rowsOf('## Errors', 4)).toEqual(expected);
  });

  test('lists which codes end a connection, answer a request, and answer an item', () => {
    const expected = Object.entries(errorScopes).map(([scope, codes]) => [scope, codes.join(', ')]);
    expect(rowsOf('## What a code answers', 2)).toEqual(expected);
    const told = new Set<string>(Object.values(errorScopes).flat());
    const sent = Object.entries(errorCodes).filter(([, { number }]) => number < 60);
    expect(sent.map(([code]) => code).filter((code) => !told.has(code))).toEqual([]);
  });

  test('lists every enum and every shared struct as the wire has them', () => {
    const rows = new Map(rowsOf('## Types', 2).map(([name, text]) => [name, text]));
    for (const [values, name] of enumNames) {
      expect([name, rows.get(name)]).toEqual([name, valuesText(values as Record<string, number>)]);
    }
    for (const [fields, name] of structNames) {
      expect([name, rows.get(name)]).toEqual([
        name,
        fieldsText(fields as Record<string, FieldType>),
      ]);
    }
  });

  test('lists every field of a job with its tag, critical bit and whether it is served', () => {
    const expected = Object.entries(jobFields).map(([name, { tag, type, served }]) => [
      String(tag & 0x7fff),
      (tag & 0x8000) === 0 ? 'no' : 'yes',
      name,
      type,
      served ? 'yes' : 'no',
    ]);
    expect(rowsOf('## Jobs', 5)).toEqual(expected);
  });

  test('is compared by its rows: a changed field, a missing row and a swapped flag all show', () => {
    const sample = '## A\n\n| x | y |\n| --- | --- |\n| 1 | `a: u8` |\n\n## B\n\n| 2 | b |\n';
    expect(tableRows(section(sample, '## A'))).toEqual([['1', 'a: u8']]);
    expect(() => section(sample, '## C')).toThrow('no heading "## C"');
    expect(fieldsText({ a: { list: { struct: { b: 'u8', c: { optional: 'id' } } } } })).toBe(
      'a: list of (b: u8, c: optional id)',
    );
  });
});
