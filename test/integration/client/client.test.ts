/** The asking client against a broker that loses connections and answers at chosen moments. */

import { expect, test } from 'vitest';
import { Client, type SessionOptions } from '../../../core/client/index.ts';
import { newJob } from '../../../core/job-queue/index.ts';
import { closeAfterTest } from '../../support/close-after-test.ts';
import { infoWith } from '../../support/job-info.ts';
import {
  allIsWell,
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  failure,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';

async function fake(options?: FakeBrokerOptions): Promise<FakeBroker> {
  const broker = await startFakeBroker(options);
  closeAfterTest(broker);
  return broker;
}

function clientOf(broker: FakeBroker, options: Partial<SessionOptions> = {}): Client {
  const client = new Client({
    resolve: () => Promise.resolve({ unix: broker.socketPath }),
    clientName: 'test',
    ...options,
  });
  closeAfterTest(client);
  return client;
}

function jobs(count: number, bodyBytes = 10): ReturnType<typeof newJob>[] {
  return Array.from({ length: count }, (_, index) =>
    newJob({
      agent: 'summarize',
      queue: 'summarize',
      agentDigest: 'ab'.repeat(32),
      input: { index, text: 'x'.repeat(bodyBytes) },
    }),
  );
}

function enqueueSizes(broker: FakeBroker): number[] {
  return broker.received.flatMap((one) => (one.name === 'Enqueue' ? [one.fields.jobs.length] : []));
}

test('enqueue calls of one turn share one frame and get their own answers', async () => {
  const broker = await fake();
  const client = clientOf(broker);
  await client.opened();
  const [one, two] = jobs(2).map((job) => [job]);
  const answers = await Promise.all([client.enqueue(one ?? []), client.enqueue(two ?? [])]);
  expect(enqueueSizes(broker)).toEqual([2]);
  expect(answers.map((answer) => answer.length)).toEqual([1, 1]);
});

test('a batch over the item limit of the broker is cut into several frames', async () => {
  const broker = await fake({ hello: { batchItemsMax: 4 } });
  const answers = await clientOf(broker).enqueue(jobs(10));
  expect(enqueueSizes(broker)).toEqual([4, 4, 2]);
  expect(answers).toHaveLength(10);
});

test('a batch over the frame limit of the broker is cut into several frames', async () => {
  const broker = await fake({ hello: { frameBytesMax: 64 * 1024 } });
  await clientOf(broker).enqueue(jobs(10, 20 * 1024));
  expect(enqueueSizes(broker)).toEqual([3, 3, 3, 1]);
});

test('a job over the size limit is refused by itself and the others go on', async () => {
  const broker = await fake({ hello: { jobBytesMax: 1024 } });
  const [small, other] = jobs(2);
  const [large] = jobs(1, 2048);
  const answers = await clientOf(broker).enqueue([small, large, other].map((job) => job!));
  expect(answers.map((answer) => answer.outcome)).toEqual(['created', 'refused', 'created']);
  expect(answers[1]?.id).toBe(large?.id);
  expect(enqueueSizes(broker)).toEqual([2]);
});

test('an atomic batch goes alone in one frame, or is refused before anything is sent', async () => {
  const broker = await fake({ hello: { batchItemsMax: 4, jobBytesMax: 1024 } });
  const client = clientOf(broker);
  await Promise.all([client.enqueue(jobs(2), true), client.enqueue(jobs(1))]);
  expect(new Set(enqueueSizes(broker))).toEqual(new Set([1, 2]));
  expect(await codeOf(client.enqueue(jobs(5), true))).toBe('TOO_MANY_ITEMS');
  const mixed = await client.enqueue([...jobs(1), ...jobs(1, 2048)], true);
  expect(mixed.map((answer) => answer.outcome)).toEqual(['refused', 'refused']);
  expect(enqueueSizes(broker)).toHaveLength(2);
});

test('requests of one turn leave in one write', async () => {
  const broker = await fake();
  const client = clientOf(broker);
  await client.opened();
  const before = broker.chunks;
  await Promise.all(Array.from({ length: 20 }, () => client.request('Ping', {})));
  expect(broker.chunks - before).toBe(1);
});

test('an enqueue whose connection breaks is sent again, byte for byte, in the same session', async () => {
  let cuts = 0;
  const broker = await fake({
    answer: (message) => (message.name === 'Enqueue' && cuts++ < 2 ? 'cut' : allIsWell(message)),
  });
  const answers = await clientOf(broker).enqueue(jobs(3));
  expect(answers).toHaveLength(3);
  const enqueues = broker.received.filter((message) => message.name === 'Enqueue');
  expect(enqueues).toHaveLength(3);
  expect(enqueues[2]?.fields).toEqual(enqueues[0]?.fields);
  expect(new Set(broker.hellos.map((hello) => hello.session)).size).toBe(1);
});

test('an enqueue that is never answered ends as OUTCOME_UNKNOWN, a read as TIMEOUT', async () => {
  const broker = await fake({
    answer: (message) =>
      message.name === 'Enqueue' || message.name === 'Stats' ? 'silence' : allIsWell(message),
  });
  const client = clientOf(broker, { requestDeadlineMs: 100 });
  const outcomes = [client.enqueue(jobs(1)), client.request('Stats', { queues: [] })];
  expect(await Promise.all(outcomes.map(codeOf))).toEqual(['OUTCOME_UNKNOWN', 'TIMEOUT']);
});

test('a request that changes its answer when repeated is not sent again', async () => {
  const broker = await fake({
    answer: (message) => (message.name === 'Cancel' ? 'cut' : allIsWell(message)),
  });
  expect(await codeOf(clientOf(broker).request('Cancel', { ids: [] }))).toBe('OUTCOME_UNKNOWN');
  expect(broker.received.filter((message) => message.name === 'Cancel')).toHaveLength(1);
});

test('what may be repeated survives beside what may not', async () => {
  const broker = await fake({
    answer: (message) => {
      if (message.connection > 1) return allIsWell(message);
      return message.name === 'Retry' ? 'cut' : 'silence';
    },
  });
  const client = clientOf(broker);
  const asked = [
    client.enqueue(jobs(1)),
    client.request('Cancel', { ids: [] }),
    client.request('Subscribe', { queues: ['a'], credit: 0 }),
    client.request('Retry', { ids: [] }),
  ];
  expect(await Promise.all(asked.map(codeOf))).toEqual([
    'no error',
    'OUTCOME_UNKNOWN',
    'no error',
    'OUTCOME_UNKNOWN',
  ]);
});

test('a process that was stopped takes the answer that came meanwhile, late as it is', async () => {
  const broker = await fake({
    answer: (request) => {
      if (request.name !== 'Enqueue') return allIsWell(request);
      // Sent before this process stands still for longer than the client waits.
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600));
      return allIsWell(request);
    },
  });
  const client = clientOf(broker, { requestDeadlineMs: 300 });
  await client.opened();
  expect(await client.enqueue(jobs(1))).toMatchObject([{ outcome: 'created' }]);
});

test('nobody at the address ends as UNREACHABLE at the deadline, with the reason', async () => {
  const broker = await fake();
  const client = clientOf(broker, {
    resolve: () => Promise.resolve({ unix: `${broker.socketPath}-none` }),
    requestDeadlineMs: 100,
  });
  await expect(client.enqueue(jobs(1))).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/no broker answers at unix:.*-none/) as string,
  });
});

test('a broker that cannot be found fails the request at once with that reason', async () => {
  const broker = await fake();
  const client = clientOf(broker, {
    resolve: () => Promise.reject(new Error('the log is damaged')),
  });
  await expect(client.opened()).rejects.toThrow('the log is damaged');
});

test('each connect asks anew where the broker is', async () => {
  const [first, second] = [await fake(), await fake()];
  let at = first;
  const resolve = (): Promise<{ unix: string }> => Promise.resolve({ unix: at.socketPath });
  const client = clientOf(first, { resolve });
  await client.opened();
  at = second;
  await first.close();
  await client.enqueue(jobs(1));
  expect(enqueueSizes(second)).toEqual([1]);
});

test('Error answers become errors with their code, and the connection goes on', async () => {
  const broker = await fake({
    answer: (message) =>
      message.name === 'Inspect' ? failure('BAD_REQUEST', 'too short') : allIsWell(message),
  });
  const client = clientOf(broker);
  const inspect = client.request('Inspect', { idPrefix: '', withJob: false });
  await expect(inspect).rejects.toMatchObject({ code: 'BAD_REQUEST', message: 'too short' });
  await client.request('Ping', {});
  expect(broker.hellos).toHaveLength(1);
});

test('a request that meets a stopping broker goes to the next one', async () => {
  let refusals = 0;
  const broker = await fake({
    answer: (message) => {
      if (message.name === 'Enqueue' && refusals++ === 0) return failure('SHUTTING_DOWN');
      return allIsWell(message);
    },
  });
  expect(await clientOf(broker).enqueue(jobs(1))).toHaveLength(1);
  expect(broker.hellos).toHaveLength(2);
});

test('an answer of the wrong kind closes the connection', async () => {
  let wrong = 0;
  const broker = await fake({
    answer: (message) =>
      message.name === 'Stats' && wrong++ === 0
        ? { name: 'WaitOk', fields: { job: infoWith({ state: 'done' }) } }
        : failure('NOT_FOUND'),
  });
  expect(await codeOf(clientOf(broker).request('Stats', { queues: [] }))).toBe('NOT_FOUND');
  expect(broker.hellos).toHaveLength(2);
});

test('another protocol version is reported at once', async () => {
  const broker = await fake({ version: 9 });
  await expect(clientOf(broker).opened()).rejects.toMatchObject({
    code: 'VERSION',
    message: expect.stringContaining('speaks protocol 9') as string,
  });
});

test('a wait survives lost connections and ends with its signal', async () => {
  const broker = await fake({
    answer: (message) => (message.name === 'Wait' ? 'silence' : allIsWell(message)),
  });
  const client = clientOf(broker, { requestDeadlineMs: 50 });
  const abort = new AbortController();
  const options = { deadlineMs: Number.POSITIVE_INFINITY, signal: abort.signal };
  const wait = client.request('Wait', { id: '0'.repeat(26) }, options);
  const waits = (): number => broker.received.filter(({ name }) => name === 'Wait').length;
  await broker.until(() => waits() === 1);
  broker.cut();
  await broker.until(() => waits() === 2);
  abort.abort(new Error('enough'));
  await expect(wait).rejects.toThrow('enough');
});

test('bytes in flight are bounded', async () => {
  let held = 0;
  let heldMost = 0;
  const release: (() => void)[] = [];
  const broker = await fake({
    hello: { batchItemsMax: 1 },
    answer: (message, self) => {
      if (message.name !== 'Enqueue') return allIsWell(message);
      heldMost = Math.max(heldMost, ++held);
      release.push(() => {
        held -= 1;
        const answer = allIsWell(message);
        if (typeof answer === 'object') self.reply(message, answer);
      });
      return 'silence';
    },
  });
  const client = clientOf(broker, { inFlightBytesMax: 3 * 1024 });
  const all = client.enqueue(jobs(9, 1024));
  for (let answered = 0; answered < 9; answered++) {
    await broker.until(() => release.length > 0);
    release.shift()?.();
  }
  expect(await all).toHaveLength(9);
  expect(heldMost).toBe(2);
});

test('a silent broker is pinged and then given up', async () => {
  const broker = await fake({ answer: () => 'silence' });
  const client = clientOf(broker, { pingMs: 20 });
  const options = { deadlineMs: Number.POSITIVE_INFINITY };
  const wait = client.request('Wait', { id: '0'.repeat(26) }, options);
  await broker.until(() => broker.hellos.length === 2);
  expect(broker.received.filter(({ name }) => name === 'Ping').length).toBeGreaterThanOrEqual(2);
  await client.close();
  expect(await codeOf(wait)).toBe('CLOSED');
});

test('close says Goodbye behind what was asked, and later requests are refused', async () => {
  const broker = await fake();
  const client = clientOf(broker);
  await client.opened();
  const enqueued = client.enqueue(jobs(1));
  await Promise.resolve();
  await client.close();
  expect(await enqueued).toHaveLength(1);
  expect(broker.received.map(({ name }) => name)).toEqual(['Ping', 'Enqueue', 'Goodbye']);
  expect(await codeOf(client.request('Ping', {}))).toBe('CLOSED');
});

test('a frame that the broker would refuse is not sent', async () => {
  const broker = await fake({ hello: { frameBytesMax: 1024 } });
  const ids = Array.from({ length: 100 }, () => '0'.repeat(26));
  const client = clientOf(broker);
  expect(await codeOf(client.request('Cancel', { ids }))).toBe('FRAME_TOO_LARGE');
  expect(broker.received.map(({ name }) => name)).not.toContain('Cancel');
});
