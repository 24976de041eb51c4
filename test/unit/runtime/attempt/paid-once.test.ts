/** The journal of one job: what is bought, what is taken from it, and when it is asked anew. */

import { describe, expect, it } from 'vitest';
import type { ModelAnswer, ModelCall } from '../../../../core/model/index.ts';
import type { Journal } from '../../../../core/runtime/attempt/journal.ts';
import { PaidOnce } from '../../../../core/runtime/attempt/paid-once.ts';
import { fakeJournal } from '../../../support/runtime-fakes.ts';

const call = (parts: Partial<ModelCall> = {}): ModelCall => ({
  model: 'm',
  messages: [{ role: 'user', content: 'hello' }],
  options: { temperature: 0 },
  timeoutMs: 1000,
  idleMs: 1000,
  answerBytesMax: 1000,
  ...parts,
});

const answer = (text: string): ModelAnswer => ({
  text,
  toolCalls: [{ id: 'c1', name: 'look', arguments: '{}' }],
  finishReason: 'tool_calls',
  model: 'm-2026',
  usage: { inputTokens: 3, outputTokens: 2, estimated: false },
});

/** A delivery of the job: every answer that it buys carries its name. */
function delivery(name: string, journal: Journal, options: { isFirst?: boolean } = {}) {
  const stop = new AbortController();
  const isRedelivery = options.isFirst !== true;
  const paid = new PaidOnce({ journal, isRedelivery, signal: stop.signal });
  let bought = 0;
  const ask = async (request: ModelCall = call()) =>
    paid.answer(request, async () => {
      bought += 1;
      return { value: answer(`${name} ${bought}`), charge: null };
    });
  return { paid, ask, stop, bought: () => bought };
}

const first = (journal: Journal) => delivery('first', journal, { isFirst: true });

describe('an answer', () => {
  it('is in the journal before it is used, and the first delivery asks for nothing', async () => {
    const journal = fakeJournal();
    const one = first(journal);
    expect(await one.ask()).toEqual(answer('first 1'));
    expect(journal.asked).toEqual(['put']);
    expect(journal.entries.size).toBe(1);
  });

  it('is whole when a later delivery takes it from there, and nothing is bought', async () => {
    const journal = fakeJournal();
    await first(journal).ask();
    const second = delivery('second', journal);
    expect(await second.ask()).toEqual(answer('first 1'));
    expect([second.bought(), second.paid.replayed]).toEqual([0, 1]);
  });

  it('is another one for the same question at a later step', async () => {
    const journal = fakeJournal();
    const one = first(journal);
    await one.ask();
    await one.ask();
    const second = delivery('second', journal);
    const texts = [await second.ask(), await second.ask(), await second.ask()].map(
      ({ text }) => text,
    );
    expect(texts).toEqual(['first 1', 'first 2', 'second 1']);
  });

  it.each<[string, Partial<ModelCall>]>([
    ['an edited prompt', { messages: [{ role: 'user', content: 'hello!' }] }],
    ['another model', { model: 'n' }],
    ['other options', { options: { temperature: 1 } }],
    ['a schema', { responseSchema: { name: 's', schema: {} } }],
    ['tools', { tools: [{ name: 't', description: 'd', parameters: {} }] }],
    ['no more tool calls', { toolChoice: 'none' }],
  ])('is bought again for %s', async (_, parts) => {
    const journal = fakeJournal();
    await first(journal).ask();
    const second = delivery('second', journal);
    expect((await second.ask(call(parts))).text).toBe('second 1');
  });

  it('is the same one for other limits of time and size', async () => {
    const journal = fakeJournal();
    await first(journal).ask();
    const second = delivery('second', journal);
    const patient = call({ timeoutMs: 9, idleMs: 9, answerBytesMax: 9 });
    expect((await second.ask(patient)).text).toBe('first 1');
  });

  it('gives way to one that another delivery has put first', async () => {
    const journal = fakeJournal();
    const slow = delivery('slow', journal, { isFirst: true });
    await delivery('fast', journal, { isFirst: true }).ask();
    expect((await slow.ask()).text).toBe('fast 1');
    expect(slow.bought()).toBe(1);
  });

  it('that cannot be read counts as none', async () => {
    const journal = fakeJournal();
    await first(journal).ask();
    const [hash] = journal.entries.keys();
    for (const stands of ['{"version":2}', 'no JSON', 'null']) {
      journal.entries.set(hash ?? '', Buffer.from(stands));
      const later = delivery('later', journal);
      expect((await later.ask()).text).toBe('later 1');
    }
  });

  it('that fails is nothing to keep', async () => {
    const journal = fakeJournal();
    const { paid } = first(journal);
    const failing = paid.answer(call(), async () => {
      throw new Error('cut');
    });
    await expect(failing).rejects.toThrow('cut');
    expect(journal.entries.size).toBe(0);
  });

  it('reaches the journal also when the attempt is stopped meanwhile', async () => {
    const journal = fakeJournal();
    const { promise: full, resolve: makeRoom } = Promise.withResolvers<void>();
    const waiting: Journal = {
      get: (hash) => journal.get(hash),
      put: async (hash, value) => {
        await full;
        return journal.put(hash, value);
      },
    };
    const one = first(waiting);
    const asking = one.ask();
    await new Promise(setImmediate);
    one.stop.abort(new Error('the lease was lost'));
    await expect(asking).rejects.toThrow('the lease was lost');
    makeRoom();
    const second = delivery('second', journal);
    expect((await second.ask()).text).toBe('first 1');
  });
});

describe('the result of a tool', () => {
  it('is kept by its name and arguments, in whatever order they stand', async () => {
    const journal = fakeJournal();
    const run = async () => ({ ok: true, text: 'mail sent' });
    await first(journal).paid.toolResult('mail', { to: 'a', text: 'b' }, run);
    const { paid } = delivery('second', journal);
    const again = async () => ({ ok: true, text: 'sent twice' });
    expect((await paid.toolResult('mail', { text: 'b', to: 'a' }, again)).text).toBe('mail sent');
    expect((await paid.toolResult('mail', { text: 'b', to: 'c' }, again)).text).toBe('sent twice');
    expect(paid.replayed).toBe(0);
  });
});

describe('answers that were spent', () => {
  it('are not taken again: whoever retries the job wants new ones', async () => {
    const journal = fakeJournal();
    const one = first(journal);
    await one.ask();
    await one.paid.invalidate();
    const second = delivery('second', journal);
    expect((await second.ask()).text).toBe('second 1');
    expect((await delivery('third', journal).ask()).text).toBe('second 1');
    await second.paid.invalidate();
    expect((await delivery('fourth', journal).ask()).text).toBe('fourth 1');
  });

  it('are none when nothing was answered', async () => {
    const journal = fakeJournal();
    await first(journal).paid.invalidate();
    expect(journal.entries.size).toBe(0);
  });
});
