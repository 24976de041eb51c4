/** Blobs and journal of a fake broker: enough of them that a client can put and read values. */

import type { Message, Value } from '../../../core/protocol/index.ts';
import { type Answer, allIsWell, failure, type Received } from './fake-broker.ts';

interface Blob {
  readonly totalBytes: number;
  bytes: Buffer;
}

export interface FakeShelf {
  readonly blobs: Map<string, Blob>;
  /** Results and journal entries by what asks for them. */
  readonly values: Map<string, Value>;
  /** Answers requests for large values, knows no job, and lets every other request go well. */
  answer(message: Received): Answer;
}

export function fakeShelf(): FakeShelf {
  const blobs = new Map<string, Blob>();
  const values = new Map<string, Value>();

  function put({ sha256, totalBytes, offset, chunk }: Message<'BlobPut'>): Answer {
    const name = Buffer.from(sha256).toString('hex');
    const blob = blobs.get(name) ?? { totalBytes, bytes: Buffer.alloc(0) };
    blobs.set(name, blob);
    if (offset > blob.bytes.length) return failure('BAD_REQUEST');
    if (offset === blob.bytes.length) blob.bytes = Buffer.concat([blob.bytes, chunk]);
    const storedBytes = blob.bytes.length;
    return { name: 'BlobPutOk', fields: { storedBytes, complete: storedBytes === totalBytes } };
  }

  function get({ sha256, offset, bytesMax }: Message<'BlobGet'>): Answer {
    const blob = blobs.get(Buffer.from(sha256).toString('hex'));
    if (blob === undefined) return failure('NO_BLOB');
    const chunk = blob.bytes.subarray(offset, offset + bytesMax);
    return { name: 'BlobData', fields: { totalBytes: blob.totalBytes, offset, chunk } };
  }

  function journal(key: string, value: Value): Answer {
    const standing = values.get(key) ?? copyOf(value);
    values.set(key, standing);
    return { name: 'JournalOk', fields: { value: standing } };
  }

  return {
    blobs,
    values,
    answer(message) {
      if (message.name === 'BlobPut') return put(message.fields);
      if (message.name === 'BlobGet') return get(message.fields);
      if (message.name === 'JournalPut') {
        const { token, callHash, value } = message.fields;
        return journal(keyOf(token.id, callHash), value);
      }
      if (message.name === 'JournalGet') {
        const { id, callHash } = message.fields;
        return { name: 'JournalOk', fields: { value: values.get(keyOf(id, callHash)) ?? null } };
      }
      if (message.name === 'Output') {
        return { name: 'OutputOk', fields: { output: null, prompts: null } };
      }
      if (message.name === 'Result') {
        return { name: 'ResultOk', fields: { value: values.get(message.fields.id) ?? null } };
      }
      if (message.name === 'Inspect') return { name: 'InspectOk', fields: { jobs: [] } };
      return allIsWell(message);
    },
  };
}

/** What arrived is a view into a frame, which the next one may overwrite. */
function copyOf({ inline, blob }: Value): Value {
  return { inline: inline === null ? null : new Uint8Array(inline), blob };
}

function keyOf(id: string, callHash: Uint8Array): string {
  return `${id} ${Buffer.from(callHash).toString('hex')}`;
}
