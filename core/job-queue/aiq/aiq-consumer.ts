/** The port's `Consumer` over a session of the built-in broker. */

import { crc32 } from 'node:zlib';
import {
  type Client,
  type ExtendAnswer,
  Consumer as Session,
  type SessionOptions,
} from '../../client/index.ts';
import {
  AiqError,
  encodeJob,
  errorCodeOf,
  type Job,
  limits,
  noError,
  noUsage,
} from '../../protocol/index.ts';
import type { ConsumeOptions, Consumer, Extended, LeasedJob, Settle } from '../port-consumer.ts';
import { settledOf } from './answers.ts';
import { BodyFetcher } from './arrivals.ts';
import { bytesOf, storeBodies, valueOf } from './values.ts';

type Asking = Pick<Client, 'request'>;

/** `client` carries large values beside the session. */
export async function openAiqConsumer(
  client: Asking,
  options: SessionOptions,
  consume: ConsumeOptions,
): Promise<Consumer> {
  const { queues, credit } = consume;
  const arrivals = new BodyFetcher(client, consume);
  const session = await Session.open({
    ...options,
    queues,
    credit,
    onDelivery: (lease) => arrivals.take(lease, session),
    onLeaseLost: (lease, code) => arrivals.lost(lease, code),
  });
  return {
    get leaseMs(): number {
      return session.leaseMs;
    },
    setCredit: (wanted) => session.setCredit(wanted),
    async settle(leased, settle) {
      const settlement = await settlementOf(client, settle);
      return settledOf(await session.settle(leased, settlement));
    },
    async journalPut({ token }, callHash, bytes) {
      const value = await valueOf(client, bytes);
      const stands = await session.journalPut({ token, callHash, value });
      return (await bytesOf(client, stands)) ?? bytes;
    },
    extend: async (leased: readonly LeasedJob[]) => (await session.extend(leased)).map(extendedOf),
    async close() {
      arrivals.close();
      await session.close();
    },
  };
}

/**
 * Texts over the limit of the protocol are cut; a note is JSON and would break. A large result is
 * stored first.
 * @throws AiqError `BAD_REQUEST` when the note is too long, or what storing throws
 */
async function settlementOf(
  client: Asking,
  settle: Settle,
): Promise<Parameters<Session['settle']>[1]> {
  const note = settle.note ?? '';
  const noteBytes = Buffer.byteLength(note);
  if (noteBytes > limits.noteBytesMax) {
    const message = `the note has ${noteBytes} bytes; ${limits.noteBytesMax} are allowed`;
    throw new AiqError('BAD_REQUEST', message);
  }
  return {
    outcome: settle.outcome,
    delayMs: Math.ceil(Math.max(0, settle.delayMs ?? 0)),
    errorCode: cut(settle.errorCode ?? '', limits.errorCodeBytesMax),
    errorMessage: cut(settle.errorMessage ?? '', limits.errorMessageBytesMax),
    note,
    usage: settle.usage ?? noUsage,
    result: settle.result === undefined ? null : await valueOf(client, settle.result),
    enqueue: await encodedJobs(client, settle.enqueue ?? []),
    park: settle.park ?? null,
  };
}

async function encodedJobs(client: Asking, jobs: readonly Job[]): Promise<Uint8Array[]> {
  return (await storeBodies(client, jobs)).map((job) => encodeJob(job, crc32));
}

/** The longest beginning of a text that has at most `bytesMax` bytes in UTF-8. */
function cut(text: string, bytesMax: number): string {
  const into = new Uint8Array(bytesMax);
  return text.slice(0, new TextEncoder().encodeInto(text, into).read);
}

function extendedOf({ code, directive }: ExtendAnswer): Extended {
  return code === noError ? { ok: true, directive } : { ok: false, code: errorCodeOf(code) };
}
