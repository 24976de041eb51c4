import { describe, expect, test } from 'vitest';
import { errorCodes, type Message } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

function connected(options = testOptions): Driver {
  const driver = new Driver([], options);
  driver.open(1);
  return driver;
}

describe('enqueue', () => {
  test('the same job again exists, with its state, and nothing is logged', () => {
    const driver = connected();
    expect(driver.enqueue(1, [checkedJob()])[0]).toMatchObject({
      outcome: 'created',
      state: 'ready',
    });
    const records = driver.log.length;
    expect(driver.enqueue(1, [checkedJob()])[0]).toMatchObject({
      outcome: 'exists',
      state: 'ready',
    });
    expect(driver.log.length).toBe(records);
  });

  test('a request in parts is answered once, with all its jobs in their order', () => {
    const driver = connected();
    const answers: Message<'EnqueueOk'>['items'][number][] = [];
    const base = { type: 'enqueue', connection: 1, correlationId: 77, atomic: false } as const;
    const part = (ids: number[], isLast: boolean): void => {
      driver.tell({
        ...base,
        jobs: ids.map((id) => checkedJob({ id })),
        part: { answers, isLast },
      });
    };
    part([1, 2], false);
    expect(driver.sent.filter(({ name }) => name === 'EnqueueOk')).toEqual([]);
    part([3], true);
    const { items } = driver.answer(77) as Message<'EnqueueOk'>;
    expect(items.map(({ id, outcome }) => [id, outcome])).toEqual(
      [1, 2, 3].map((id) => [idOf(id), 'created']),
    );
  });

  test('the same id with other content is a conflict, also when the first is finished', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    expect(driver.enqueue(1, [checkedJob({ digest: 8 })])[0]).toMatchObject({
      outcome: 'refused',
      code: errorCodes.CONFLICT.number,
    });
    expect(driver.enqueue(1, [checkedJob()])[0]).toMatchObject({
      outcome: 'exists',
      state: 'done',
    });
  });

  test('items answer for themselves, unless the batch is atomic', () => {
    const bad = { ok: false, id: idOf(9), code: 'CHECKSUM', message: 'damaged' } as const;
    const loose = connected();
    const answers = loose.enqueue(1, [checkedJob({ id: 1 }), bad, checkedJob({ id: 2 })]);
    expect(answers.map((item) => item.outcome)).toEqual(['created', 'refused', 'created']);
    const atomic = connected();
    const refused = atomic.enqueue(1, [checkedJob({ id: 1 }), bad, checkedJob({ id: 2 })], true);
    expect(refused.map((item) => item.code)).toEqual([
      errorCodes.BATCH_REFUSED.number,
      errorCodes.CHECKSUM.number,
      errorCodes.BATCH_REFUSED.number,
    ]);
    expect(atomic.stateOf(1)).toBe('none');
  });

  test('an atomic batch notices a conflict between two of its own jobs', () => {
    const driver = connected();
    const answers = driver.enqueue(1, [checkedJob({ digest: 1 }), checkedJob({ digest: 2 })], true);
    expect(answers.map((item) => item.outcome)).toEqual(['refused', 'refused']);
  });

  test('a full broker refuses and never drops; finishing jobs makes room', () => {
    const bytes = checkedJob({ body: 'x'.repeat(500) });
    const room = bytes.ok ? bytes.bytes.length * 2 : 0;
    const driver = connected({ ...testOptions, bytesMax: room });
    const job = (id: number): ReturnType<typeof checkedJob> =>
      checkedJob({ id, body: 'x'.repeat(500) });
    const outcomes = driver.enqueue(1, [job(1), job(2), job(3)]).map((item) => item.code);
    expect(outcomes).toEqual([0, 0, errorCodes.QUEUE_FULL.number]);
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    expect(driver.enqueue(1, [job(3)])[0]?.outcome).toBe('created');
  });
});

describe('delivery', () => {
  test('a queue is first in, first out', () => {
    const driver = connected();
    driver.enqueue(
      1,
      [5, 3, 9, 1].map((id) => checkedJob({ id })),
    );
    driver.subscribe(1, 10);
    expect(driver.deliveries(1).map((item) => item.token.id)).toEqual([5, 3, 9, 1].map(idOf));
  });

  test('credit is the most leases held at once; a settle frees its place', () => {
    const driver = connected();
    driver.enqueue(
      1,
      [1, 2, 3].map((id) => checkedJob({ id })),
    );
    driver.subscribe(1, 2);
    const first = driver.deliveries(1);
    expect(first).toHaveLength(2);
    driver.settle(1, first[0]!.token);
    expect(driver.deliveries(1)).toHaveLength(1);
    driver.subscribe(1, 0);
    driver.settle(1, first[1]!.token);
    expect(driver.deliveries(1)).toHaveLength(0);
  });

  test('sessions and queues take turns', () => {
    const driver = connected();
    driver.open(2);
    driver.enqueue(
      1,
      Array.from({ length: 20 }, (_, index) => checkedJob({ id: index + 1, queue: 'large' })),
    );
    driver.enqueue(1, [
      checkedJob({ id: 100, queue: 'small' }),
      checkedJob({ id: 101, queue: 'small' }),
    ]);
    driver.subscribe(1, 4, ['large', 'small']);
    driver.subscribe(2, 4, ['large', 'small']);
    const ids = driver.deliveries(1).map((item) => item.token.id);
    expect(ids.filter((id) => [idOf(100), idOf(101)].includes(id))).toHaveLength(2);
    expect(driver.deliveries(2)).toHaveLength(4);
  });

  test('a delayed job is not delivered before its time and is then', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob({ delayMs: 300 })]);
    driver.subscribe(1, 1);
    driver.advance(299);
    expect(driver.deliveries(1)).toHaveLength(0);
    driver.advance(1);
    expect(driver.deliveries(1)).toHaveLength(1);
  });

  test('the next due time is told, and null when only an event can bring work', () => {
    const driver = connected();
    expect(driver.machine.nextDueMs(driver.now)).toBeNull();
    driver.enqueue(1, [checkedJob({ delayMs: 300 })]);
    expect(driver.machine.nextDueMs(driver.now)).toBe(300);
  });

  test('deliveries are cut into frames that the client takes', () => {
    const driver = connected();
    const body = 'x'.repeat(900_000);
    driver.enqueue(
      1,
      [1, 2, 3, 4, 5, 6].map((id) => checkedJob({ id, body })),
    );
    driver.subscribe(1, 6);
    const frames = driver.sent.filter((sent) => sent.name === 'Deliver');
    expect(frames.length).toBeGreaterThan(1);
    expect(driver.deliveries(1)).toHaveLength(6);
  });
});

describe('telling', () => {
  test('wait answers at once for a finished job, later for another, and NOT_FOUND for none', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob()]);
    driver.open(2);
    expect(driver.request(2, 'Wait', { id: idOf(1) })).toBeUndefined();
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token, 'ack', { note: 'made it' });
    const told = driver.sent.find((sent) => sent.connection === 2 && sent.name === 'WaitOk');
    expect((told?.fields as Message<'WaitOk'> | undefined)?.job).toMatchObject({
      state: 'done',
      note: 'made it',
    });
    expect(driver.request(2, 'Wait', { id: idOf(1) })).toMatchObject({ job: { state: 'done' } });
    expect(driver.request(2, 'Wait', { id: idOf(2) })).toMatchObject({
      code: errorCodes.NOT_FOUND.number,
    });
  });

  test('list pages newest first, by queue and state', () => {
    const driver = connected();
    driver.enqueue(
      1,
      Array.from({ length: 7 }, (_, index) =>
        checkedJob({ id: index + 1, queue: index % 2 ? 'b' : 'a' }),
      ),
    );
    const page = (before: number): Message<'ListOk'> =>
      driver.request(1, 'List', {
        queue: 'a',
        state: 'ready',
        before,
        limit: 3,
      }) as Message<'ListOk'>;
    const first = page(0);
    expect(first.jobs.map((job) => job.id)).toEqual([7, 5, 3].map(idOf));
    const second = page(first.next);
    expect(second.jobs.map((job) => job.id)).toEqual([idOf(1)]);
    expect(second.next).toBe(0);
  });

  test('stats count states and consumers by queue', () => {
    const driver = connected();
    driver.enqueue(
      1,
      [1, 2, 3].map((id) => checkedJob({ id })),
    );
    driver.subscribe(1, 1);
    driver.advance(40);
    const { queues } = driver.request(1, 'Stats', { queues: ['q', 'none'] }) as Message<'StatsOk'>;
    expect(queues[0]).toMatchObject({ ready: 2, leased: 1, consumers: 1, oldestReadyMs: 40 });
    expect(queues[1]).toMatchObject({ queue: 'none', ready: 0, consumers: 0 });
  });

  test('inspect finds by prefix', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob({ id: 1 })]);
    const fields = { idPrefix: idOf(1).slice(0, 12), withJob: true };
    const { jobs } = driver.request(1, 'Inspect', fields) as Message<'InspectOk'>;
    expect(jobs[0]?.info.id).toBe(idOf(1));
    expect(jobs[0]?.job).not.toBeNull();
    expect(driver.request(1, 'Inspect', { ...fields, idPrefix: 'U' })).toMatchObject({
      code: errorCodes.BAD_REQUEST.number,
    });
  });
});

describe('operating a queue', () => {
  test('a paused queue delivers nothing, also after a restart, and goes on when it is resumed', () => {
    const driver = connected();
    driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2, queue: 'other' })]);
    driver.request(1, 'Pause', { queue: 'q' });
    const next = driver.restarted();
    next.open(1);
    next.subscribe(1, 5, ['q', 'other']);
    expect(next.deliveries(1).map((item) => item.token.id)).toEqual([idOf(2)]);
    expect(next.enqueue(1, [checkedJob({ id: 3 })])[0]?.outcome).toBe('created');
    next.request(1, 'Unpause', { queue: 'q' });
    expect(next.deliveries(1).map((item) => item.token.id)).toEqual([1, 3].map(idOf));
  });

  test('pausing twice is logged once', () => {
    const driver = connected();
    driver.request(1, 'Pause', { queue: 'q' });
    const records = driver.log.length;
    driver.request(1, 'Pause', { queue: 'q' });
    expect(driver.log.length).toBe(records);
  });

  test('purge cancels what waits and leaves leased and finished jobs alone', () => {
    const driver = connected();
    const ids = Array.from({ length: 2500 }, (_, index) => index + 1);
    driver.enqueue(
      1,
      ids.map((id) => checkedJob({ id, delayMs: id % 2 === 0 ? 1000 : 0 })),
    );
    driver.enqueue(1, [checkedJob({ id: 9000, queue: 'other' })]);
    driver.subscribe(1, 1);
    let answer = driver.request(1, 'Purge', { queue: 'q' }) as Message<'BulkOk'>;
    expect(answer).toMatchObject({ done: false });
    for (let round = 0; !answer.done && round < 100; round++) {
      driver.advance(0);
      answer = driver.request(1, 'Bulk', { bulk: answer.bulk }) as Message<'BulkOk'>;
    }
    expect(answer).toEqual({ bulk: 1, touched: 2499, done: true });
    expect([driver.stateOf(1), driver.stateOf(9000)]).toEqual(['leased', 'ready']);
  });

  test('a watcher hears every change of its queues in order, and no other', () => {
    const driver = connected();
    driver.open(2);
    driver.request(2, 'Watch', { queues: ['q'] });
    driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2, queue: 'other' })]);
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    const heard = driver.sent.filter((sent) => sent.connection === 2 && sent.name === 'JobEvents');
    const states = heard.flatMap((sent) => (sent.fields as Message<'JobEvents'>).jobs);
    expect(states.map(({ id, state }) => [id, state])).toEqual(
      ['ready', 'leased', 'done'].map((state) => [idOf(1), state]),
    );
  });

  test('answers that list jobs fit into a frame however much each job says', () => {
    const driver = connected();
    const note = 'n'.repeat(8000);
    for (let id = 1; id <= 600; id++) {
      driver.enqueue(1, [checkedJob({ id })]);
      driver.subscribe(1, 1);
      driver.settle(1, driver.deliveries(1)[0]!.token, 'ack', { note });
    }
    const request = { queue: null, state: null, limit: 1000 };
    const page = driver.request(1, 'List', { ...request, before: 0 }) as Message<'ListOk'>;
    expect(page.jobs.length).toBeLessThan(600);
    expect(page.jobs.length * 8000).toBeLessThan(4 * 1024 * 1024);
    const rest = driver.request(1, 'List', { ...request, before: page.next }) as Message<'ListOk'>;
    expect(rest.jobs[0]?.id).toBe(idOf(600 - page.jobs.length));
  });
});
