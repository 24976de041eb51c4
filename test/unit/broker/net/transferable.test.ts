/** Packing: one buffer for all bytes of a message, nothing shared with what was packed. */

import { describe, expect, it } from 'vitest';
import { toTransferable } from '../../../../core/broker/net/pool/transferable.ts';

describe('packBytes', () => {
  const large = new Uint8Array(65_536).fill(7);
  const message = {
    name: 'Deliver',
    items: [
      { id: 'a', job: large.subarray(10, 14), none: null },
      { id: 'b', job: large.subarray(20, 21), empty: large.subarray(5, 5) },
    ],
  };

  it('copies every view into one buffer that is no larger than their bytes', () => {
    const { value, transfer } = toTransferable(message);
    expect(value).toEqual(message);
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([5]);
    const views = value.items.flatMap((item) => [item.job, item.empty ?? item.job]);
    for (const view of views) expect(view.buffer).toBe(transfer[0]);
  });

  it('survives a transfer, and the packed message keeps its own bytes', () => {
    const { value, transfer } = toTransferable(message);
    const received = structuredClone(value, { transfer: [...transfer] });
    expect(received).toEqual(message);
    expect(message.items[0]?.job).toEqual(Uint8Array.of(7, 7, 7, 7));
    expect(large.length).toBe(65_536);
  });

  it('leaves an empty view no way to drag the buffer behind it along', () => {
    const { value, transfer } = toTransferable({ token: large.subarray(0, 0) });
    expect(value.token.buffer.byteLength).toBe(0);
    expect(transfer).toHaveLength(1);
  });

  it('transfers the buffer of a large frame as it is, once, and copies what is small beside it', () => {
    const frame = new Uint8Array(1_000_000).fill(9);
    const jobs = [frame.subarray(100, 600_000), frame.subarray(600_000, 600_004)];
    const { value, transfer } = toTransferable({ jobs, small: large.subarray(0, 3) });
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([3, 1_000_000]);
    const received = structuredClone(value, { transfer: [...transfer] });
    expect(received.jobs.map(({ length }) => length)).toEqual([599_900, 4]);
    expect(received.jobs[1]).toEqual(Uint8Array.of(9, 9, 9, 9));
    expect(received.small).toEqual(Uint8Array.of(7, 7, 7));
    expect(frame.length).toBe(0);
  });

  it('hands on what holds no bytes as it is', () => {
    const plain = { type: 'closed', connection: 4 };
    expect(toTransferable(plain)).toEqual({ value: plain, transfer: [] });
    expect(toTransferable(plain).value).toBe(plain);
  });
});
