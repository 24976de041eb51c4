/** Blobs over connections that are lost, and against brokers that have other bytes than they should. */

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Client, getBlob, putBlob } from '../../../core/client/index.ts';
import { limits } from '../../../core/protocol/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import {
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';
import { type FakeShelf, fakeShelf } from '../../support/servers/fake-shelf.ts';

const chunkBytes = limits.blobChunkBytesMax;
interface Rig {
  readonly broker: FakeBroker;
  readonly shelf: FakeShelf;
  readonly client: Client;
}

async function rig(answer?: (shelf: FakeShelf) => FakeBrokerOptions['answer']): Promise<Rig> {
  const shelf = fakeShelf();
  const answers = answer?.(shelf) ?? ((message) => shelf.answer(message));
  const broker = await startFakeBroker({ answer: answers });
  const client = new Client({
    resolve: () => Promise.resolve({ unix: broker.socketPath }),
    clientName: 'test',
  });
  closeAfterTest(broker, client);
  return { broker, shelf, client };
}

function offsetsOf({ broker }: Rig, name: 'BlobPut' | 'BlobGet'): number[] {
  return broker.received.flatMap((one) => (one.name === name ? [one.fields.offset] : []));
}

function nth<T>(count: number, then: T, otherwise: () => T): () => T {
  let calls = 0;
  return () => (++calls === count ? then : otherwise());
}

describe('a blob', () => {
  test.each([1, chunkBytes, chunkBytes + 1, 3 * chunkBytes + 7])(
    'of %i bytes comes back as it was put',
    async (size) => {
      const { client, shelf } = await rig();
      const content = new Uint8Array(randomBytes(size));
      const ref = await putBlob(client, content);
      expect(ref.totalBytes).toBe(size);
      expect([...shelf.blobs.keys()]).toEqual([createHash('sha256').update(content).digest('hex')]);
      expect(Buffer.compare(await getBlob(client, ref), content)).toBe(0);
    },
  );

  test('may be given in pieces of any size', async () => {
    const { client } = await rig();
    const content = new Uint8Array(randomBytes(2 * chunkBytes + 100));
    const cuts = [0, 3, 3, chunkBytes - 1, chunkBytes + 5, content.length];
    const pieces = cuts.map((from, index) => content.subarray(from, cuts[index + 1]));
    const ref = await putBlob(client, pieces);
    expect(await putBlob(client, content)).toEqual(ref);
    expect(Buffer.compare(await getBlob(client, ref), content)).toBe(0);
  });

  test('that the broker has already is sent no further than its first chunk', async () => {
    const all = await rig();
    const content = new Uint8Array(randomBytes(3 * chunkBytes));
    await putBlob(all.client, content);
    await putBlob(all.client, content);
    expect(offsetsOf(all, 'BlobPut')).toEqual([0, chunkBytes, 2 * chunkBytes, 0]);
  });

  test('goes on where the broker stands when the connection is lost in the middle', async () => {
    const all = await rig((shelf) => {
      const cutOnce = nth<'cut' | null>(2, 'cut', () => null);
      return (message) => (message.name === 'BlobPut' ? cutOnce() : null) ?? shelf.answer(message);
    });
    const content = new Uint8Array(randomBytes(3 * chunkBytes));
    const ref = await putBlob(all.client, content);
    expect(offsetsOf(all, 'BlobPut')).toEqual([0, chunkBytes, chunkBytes, 2 * chunkBytes]);
    expect(Buffer.compare(await getBlob(all.client, ref), content)).toBe(0);
  });

  test('is sent again from the start when a broker forgot what it had', async () => {
    const all = await rig((shelf) => {
      const forget = nth(3, true, () => false);
      return (message) => {
        if (message.name === 'BlobPut' && forget()) shelf.blobs.clear();
        return shelf.answer(message);
      };
    });
    await putBlob(all.client, new Uint8Array(randomBytes(3 * chunkBytes)));
    const again = [0, 0, chunkBytes, 2 * chunkBytes];
    expect(offsetsOf(all, 'BlobPut')).toEqual([0, chunkBytes, 2 * chunkBytes, ...again]);
  });

  test('is given up when the broker takes nothing, again and again', async () => {
    const { client } = await rig((shelf) => (message) => {
      if (message.name !== 'BlobPut') return shelf.answer(message);
      return { name: 'BlobPutOk', fields: { storedBytes: 0, complete: false } };
    });
    expect(await codeOf(putBlob(client, new Uint8Array(10)))).toBe('BAD_BLOB');
  });

  test('over the limit is refused before a byte of it is sent', async () => {
    const all = await rig();
    const piece = new Uint8Array(limits.blobBytesMax / 2);
    expect(await codeOf(putBlob(all.client, [piece, piece, new Uint8Array(1)]))).toBe(
      'JOB_TOO_LARGE',
    );
    expect(offsetsOf(all, 'BlobPut')).toEqual([]);
  });
});

describe('reading a blob', () => {
  const content = new Uint8Array(randomBytes(chunkBytes + 9));

  async function stored(): Promise<Rig & { ref: Awaited<ReturnType<typeof putBlob>> }> {
    const all = await rig();
    return { ...all, ref: await putBlob(all.client, content) };
  }

  test('asks again after a lost connection', async () => {
    const all = await rig((shelf) => {
      const cutOnce = nth<'cut' | null>(2, 'cut', () => null);
      return (message) => (message.name === 'BlobGet' ? cutOnce() : null) ?? shelf.answer(message);
    });
    const ref = await putBlob(all.client, content);
    expect(Buffer.compare(await getBlob(all.client, ref), content)).toBe(0);
    expect(offsetsOf(all, 'BlobGet')).toEqual([0, chunkBytes, chunkBytes]);
  });

  test('notices one flipped bit', async () => {
    const { client, shelf, ref } = await stored();
    for (const { bytes } of shelf.blobs.values()) {
      bytes.writeUInt8(bytes.readUInt8(chunkBytes + 1) ^ 4, chunkBytes + 1);
    }
    expect(await codeOf(getBlob(client, ref))).toBe('BAD_BLOB');
  });

  test('notices that it ends early, is longer, or is not there', async () => {
    const { client, shelf, ref } = await stored();
    for (const blob of shelf.blobs.values()) blob.bytes = blob.bytes.subarray(0, chunkBytes);
    expect(await codeOf(getBlob(client, ref))).toBe('BAD_BLOB');
    const longer = { ...ref, totalBytes: ref.totalBytes + 1 };
    expect(await codeOf(getBlob(client, longer))).toBe('BAD_BLOB');
    shelf.blobs.clear();
    expect(await codeOf(getBlob(client, ref))).toBe('NO_BLOB');
  });

  test('allocates nothing for a reference that announces too much', async () => {
    const all = await stored();
    const ref = { ...all.ref, totalBytes: limits.blobBytesMax + 1 };
    expect(await codeOf(getBlob(all.client, ref))).toBe('BAD_BLOB');
    expect(offsetsOf(all, 'BlobGet')).toEqual([]);
  });

  test('ends with the signal that its caller gave', async () => {
    const { client, ref } = await stored();
    const reason = new Error('enough');
    await expect(getBlob(client, ref, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
