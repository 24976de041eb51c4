/** Arbitrary values for every message, derived from the table, so that a new row is covered at once. */

import * as fc from 'fast-check';
import {
  type AnyMessage,
  type FieldType,
  idToText,
  type MessageName,
  messages,
} from '../../../core/protocol/index.ts';

const bytes = fc.uint8Array({ maxLength: 40 });

const primitives = {
  u8: fc.integer({ min: 0, max: 0xff }),
  u16: fc.integer({ min: 0, max: 0xffff }),
  u32: fc.integer({ min: 0, max: 0xffff_ffff }),
  u53: fc.maxSafeNat(),
  bool: fc.boolean(),
  text: fc.string({ unit: 'binary', maxLength: 20 }),
  bytes,
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => idToText(id)),
} as const;

function valueOf(type: FieldType): fc.Arbitrary<unknown> {
  if (typeof type === 'string') return primitives[type];
  if ('list' in type) return fc.array(valueOf(type.list), { maxLength: 4 });
  if ('optional' in type) return fc.option(valueOf(type.optional));
  if ('enum' in type) return fc.constantFrom(...Object.keys(type.enum));
  return structOf(type.struct);
}

/** Any value of a struct with these fields. */
export function structOf(fields: Readonly<Record<string, FieldType>>): fc.Arbitrary<object> {
  const entries = Object.entries(fields).map(([name, type]) => [name, valueOf(type)]);
  return fc.record(Object.fromEntries(entries) as Record<string, fc.Arbitrary<unknown>>, {
    noNullPrototype: true,
  });
}

export const messageNames = Object.keys(messages) as MessageName[];

/** Any value of one message. */
export function messageOf(name: MessageName): fc.Arbitrary<AnyMessage> {
  return fc
    .record({ correlationId: primitives.u32, fields: structOf(messages[name].fields) })
    .map((rest) => ({ name, ...rest }) as AnyMessage);
}

/** Any message at all. */
export const anyMessage: fc.Arbitrary<AnyMessage> = fc.oneof(...messageNames.map(messageOf));
