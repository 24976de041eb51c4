/** How long a server may think is for the limits to say, not for the HTTP client behind a call. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createCaller } from '../../../core/model/index.ts';
import {
  delta,
  failureOf,
  fakeServer,
  goodAnswer,
  modelCall,
  sse,
  usageChunk,
} from './fake-server.ts';

/** Longer than the HTTP client lets an idle connection be. */
const thinkMs = 5_500;

test('silence before the headers and in the answer ends no call before its limits', async () => {
  const server = await fakeServer(async (response, _, count) => {
    await sleep(thinkMs);
    if (count === 1) return goodAnswer(response);
    sse(response, [delta({ content: 'Hi.' })]);
    await sleep(thinkMs);
    for (const event of [delta({}, 'stop'), usageChunk]) {
      response.write(`data: ${JSON.stringify(event)}\n\n`);
    }
    return response.end('data: [DONE]\n\n');
  });
  try {
    const caller = await createCaller(server.provider);
    for (let call = 1; call <= 2; call++) {
      const answer = await caller.call(modelCall(), new AbortController().signal);
      expect(answer.text).toBe('Hi.');
    }
    expect(server.requests).toHaveLength(2);
    expect((await failureOf(server.provider, { timeoutMs: 500 })).code).toBe('deadline');
  } finally {
    await server.close();
  }
});
