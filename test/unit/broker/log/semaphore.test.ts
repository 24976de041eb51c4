/** So many pieces of work at one time. */

import { expect, test } from 'vitest';
import { Semaphore } from '../../../../core/broker/log/reader.ts';

test('no more run at once than may, in order, also when some fail', async () => {
  const permits = new Semaphore(2);
  const begun: number[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const runs = Array.from({ length: 5 }, (_, index) =>
    permits
      .run(() => {
        begun.push(index);
        const end = Promise.withResolvers<void>();
        ends.push(end);
        return end.promise;
      })
      .catch(() => 'failed'),
  );
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  await settled();
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error('the disk'));
  await settled();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.resolve();
  ends[2]?.resolve();
  await settled();
  ends[3]?.resolve();
  ends[4]?.resolve();
  expect(await Promise.all(runs)).toEqual([undefined, 'failed', undefined, undefined, undefined]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
