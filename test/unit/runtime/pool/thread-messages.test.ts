import { describe, expect, it } from 'vitest';
import {
  type FromThread,
  fromThread,
  type ToThread,
  toThread,
} from '../../../../core/runtime/pool/thread-messages.ts';

/** A few bytes in the middle of a large buffer, as readers of sockets and `Buffer.from` make them. */
const view = new Uint8Array(new ArrayBuffer(64 * 1024), 100, 5).fill(7);

describe('messages to and from a job thread', () => {
  it('carry no more bytes than they show: postMessage clones all of the buffer behind a view', () => {
    const request = {
      id: 'a',
      agent: 'b',
      body: view,
      source: '',
      createdAtMs: 0,
      attempt: 1,
      isRedelivery: false,
    };
    const files = [{ path: 'c', content: view }];
    const sent: readonly (ToThread | FromThread)[] = [
      toThread({ type: 'run', run: 1, request }),
      toThread({ type: 'answer', question: 1, value: view, error: null }),
      fromThread({
        type: 'question',
        run: 1,
        question: 1,
        asked: { of: 'journal', callHash: view, value: view },
      }),
      fromThread({ type: 'ended', run: 1, result: { ok: true, files, prompts: view } } as never),
      fromThread({ type: 'ended', run: 1, result: { ok: false, prompts: view } } as never),
    ];
    const found = sent.flatMap(viewsIn);
    expect(found).toHaveLength(7);
    for (const bytes of found) {
      expect(bytes).toEqual(new Uint8Array(5).fill(7));
      expect(bytes.buffer.byteLength).toBe(5);
    }
  });
});

function viewsIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(viewsIn);
}
