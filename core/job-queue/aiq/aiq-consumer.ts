/** The port's `Consumer` over a session of the built-in broker. */

import { crc32 } from 'node:zlib';
import {
  type Consumer as AiqConsumer,
  type Client,
  openConsumer,
  type SessionOptions,
} from '../../client/index.ts';
import { AiqError, encodeJob, type Job, limits, noUsage } from '../../protocol/index.ts';
import type { ConsumeOptions, Consumer, Settle } from '../port-consumer.ts';
import { settledOf } from './answers.ts';
import { outputOf, promptsOf } from './outputs.ts';
import { bytesOf, storeBodies, valueOf } from './values.ts';

type Asking = Pick<Client, 'request'>;

/** `client` carries large values beside the session. */
export async function openAiqConsumer(
  client: Asking,
  options: SessionOptions,
  consume: ConsumeOptions,
): Promise<Consumer> {
  const session = await openConsumer({ ...options, ...consume, blobs: client });
  return {
    setCredit: (wanted) => session.setCredit(wanted),
    async settle(leased, settle) {
      const settlement = await settlementOf(client, settle);
      return settledOf(await session.settle(leased, settlement));
    },
    async journalPut({ token }, callHash, bytes, charge) {
      const value = await valueOf(client, bytes);
      const stored = await session.journalPut({ token, callHash, value, charge: charge ?? null });
      return (await bytesOf(client, stored)) ?? bytes;
    },
    async reserve({ token }, { tags, ...call }) {
      const answer = await session.reserve({ token, ...call, tags: [...tags] });
      const { reason, budget, leftMicros, opensAtMs } = answer;
      if (reason === 'none') return { ok: true };
      return {
        ok: false,
        reason,
        budget,
        leftMicros,
        opensAtMs: opensAtMs === 0 ? null : opensAtMs,
      };
    },
    charge: (charges) => session.charge(charges),
    close: () => session.close(),
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
): Promise<Parameters<AiqConsumer['settle']>[1]> {
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
    output: settle.output === undefined ? null : await outputOf(client, settle.output),
    prompts: settle.prompts === undefined ? null : await promptsOf(client, settle.prompts),
    enqueue: await encodedJobs(client, settle.enqueue ?? []),
    park: settle.park ?? null,
  };
}

async function encodedJobs(client: Asking, jobs: readonly Job[]): Promise<Uint8Array[]> {
  return (await storeBodies(client, jobs)).map((job) => encodeJob(job, crc32));
}

/** The longest beginning of a text that has at most `bytesMax` bytes in UTF-8. */
function cut(text: string, bytesMax: number): string {
  // UTF-8 needs at most three bytes for each UTF-16 unit.
  if (text.length * 3 <= bytesMax) return text;
  const into = new Uint8Array(bytesMax);
  return text.slice(0, new TextEncoder().encodeInto(text, into).read);
}
