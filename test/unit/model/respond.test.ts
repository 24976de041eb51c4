/** Events go out as fast as the client reads them, and waiting for it leaves nothing behind. */

import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { sendEvent } from '../../../core/model/offline/respond.ts';

class SlowResponse extends EventEmitter {
  readonly destroyed = false;
  readonly written: string[] = [];

  write(text: string): boolean {
    this.written.push(text);
    return false;
  }
}

test('a thousand events to a slow client leave no listener behind', async () => {
  const slow = new SlowResponse();
  for (let index = 0; index < 1000; index += 1) {
    const sent = sendEvent(slow as unknown as ServerResponse, `event ${index}`);
    slow.emit(index === 999 ? 'close' : 'drain');
    await sent;
    expect(slow.listenerCount('close') + slow.listenerCount('drain')).toBe(0);
  }
  expect(slow.written).toHaveLength(1000);
});
