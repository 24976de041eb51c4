/** TypeScript types that follow from the table of messages: nothing here is written twice. */

import type { messages } from './messages.ts';
import type {
  blobRef,
  budget,
  charge,
  itemAnswer,
  jobInfo,
  leaseEndInfo,
  output,
  queueInfo,
  token,
  usage,
  value,
} from './structs.ts';

export type Messages = typeof messages;
export type MessageName = keyof Messages;

/** A wire type: a primitive, or a list, optional, enum or struct of wire types. */
export type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u53'
  | 'bool'
  | 'text'
  | 'bytes'
  | 'id'
  | { readonly list: FieldType }
  | { readonly optional: FieldType }
  | { readonly enum: Readonly<Record<string, number>> }
  | { readonly struct: Readonly<Record<string, FieldType>> };

/** The TypeScript value of a wire type. Ids are 26 characters of base32 (see `ids.ts`). */
export type FieldValue<T> = T extends 'u8' | 'u16' | 'u32' | 'u53'
  ? number
  : T extends 'bool'
    ? boolean
    : T extends 'text' | 'id'
      ? string
      : T extends 'bytes'
        ? Uint8Array
        : T extends { readonly list: infer E }
          ? FieldValue<E>[]
          : T extends { readonly optional: infer E }
            ? FieldValue<E> | null
            : T extends { readonly enum: infer E }
              ? keyof E
              : T extends { readonly struct: infer S }
                ? { -readonly [K in keyof S]: FieldValue<S[K]> }
                : never;

/** The fields of a message as a plain object: `Message<'Enqueue'>` is `{ atomic, jobs }`. */
export type Message<N extends MessageName> = {
  -readonly [K in keyof Messages[N]['fields']]: FieldValue<Messages[N]['fields'][K]>;
};

/** A message with its name and correlation id, whichever it is; narrow it by `name`. */
export type AnyMessage = {
  [N in MessageName]: { name: N; correlationId: number; fields: Message<N> };
}[MessageName];

/** The answer that a request gets when all goes well. */
export type AnswerOf<N extends MessageName> = Messages[N]['answer'] extends MessageName
  ? Messages[N]['answer']
  : never;

/** Names of the messages that expect an answer. */
export type RequestName = {
  [N in MessageName]: Messages[N]['answer'] extends MessageName ? N : never;
}[MessageName];

/** A lease token in the form of messages. */
export type LeaseToken = FieldValue<typeof token>;
export type JobInfo = FieldValue<typeof jobInfo>;
export type QueueInfo = FieldValue<typeof queueInfo>;
export type Usage = FieldValue<typeof usage>;
export type BlobRef = FieldValue<typeof blobRef>;
/** Bytes inline or as a blob: exactly one is set. */
export type Value = FieldValue<typeof value>;
export type BudgetTerms = FieldValue<typeof budget>;
/** What a model call used and cost. */
export type Charge = FieldValue<typeof charge>;
/** The files of a result. */
export type Output = FieldValue<typeof output>;
export type LeaseEndInfo = FieldValue<typeof leaseEndInfo>;
export type ItemAnswer = FieldValue<typeof itemAnswer>;
export type Delivery = Message<'Deliver'>['items'][number];
export type Settlement = Message<'Settle'>['items'][number];

/**
 * An unknown cost, because the model has no price. The largest number that a field holds, so
 * that any sum with it, which stops there, is unknown too.
 */
export const unknownCostMicros = Number.MAX_SAFE_INTEGER;

export const noUsage: Usage = {
  calls: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0,
  estimated: false,
};
