/** The patience with which paid answers are kept, and what ends it. */

import { describe, expect, it } from 'vitest';
import {
  AiqError,
  type Consumer,
  type ErrorCode,
  type LeasedJob,
} from '../../../../core/job-queue/index.ts';
import type { Journal } from '../../../../core/runtime/attempt/journal.ts';
import type { CallCharge } from '../../../../core/runtime/attempt/money.ts';
import { JournalKeeper } from '../../../../core/runtime/leases/journal-keeper.ts';
import { leaseOf } from '../../../support/runtime-fakes.ts';

const hash = Buffer.from('hash');
const value = Buffer.from('paid');

/** A broker that fails with each of the codes in turn before it answers. */
function journalBehind(...codes: ErrorCode[]) {
  const asked: string[] = [];
  const lines: string[] = [];
  const answer = async <T>(what: string, stands: T): Promise<T> => {
    asked.push(what);
    const code = codes.shift();
    if (code !== undefined) throw new AiqError(code, `failed: ${code}`);
    return stands;
  };
  const keeper = new JournalKeeper({
    queue: { journalGet: (id) => answer(`get ${id}`, value) },
    log: { warn: (_, message) => lines.push(message) },
    random: () => 0,
  });
  const kept: number[] = [];
  const consumer: Pick<Consumer, 'journalPut'> = {
    journalPut: async ({ token: { id, delivery } }, _hash, _value, charge) => {
      const stands = await answer(`put ${id} ${delivery}`, Buffer.from('stands'));
      if (charge !== undefined) kept.push(charge.hold);
      return stands;
    },
  };
  const alone: number[] = [];
  const money = {
    take: (call: CallCharge) => ({ id: 'j', agent: 'echo', ...call }),
    deliver: ({ hold }: { readonly hold: number }) => void alone.push(hold),
  };
  const journalOf = (leased: LeasedJob): Journal => keeper.of(leased, consumer, money);
  const journal = journalOf(leaseOf({ job: { id: 'j' } }));
  return { keeper, journal, journalOf, asked, lines, kept, alone };
}

describe('a paid answer', () => {
  it('is put under the lease that it was paid with, and what stands comes back', async () => {
    const { journal, asked } = journalBehind();
    expect(Buffer.from(await journal.put(hash, value)).toString()).toBe('stands');
    expect(asked).toEqual(['put j 1']);
  });

  it.each<ErrorCode>(['DISK_FULL', 'UNREACHABLE', 'OUTCOME_UNKNOWN', 'SHUTTING_DOWN'])(
    'is offered again after %s',
    async (code) => {
      const { journal, asked, lines } = journalBehind(code, code);
      expect(Buffer.from(await journal.put(hash, value)).toString()).toBe('stands');
      expect(asked).toHaveLength(3);
      expect(lines).toEqual(['the journal cannot be reached: trying again']);
    },
  );

  it.each<ErrorCode>(['BAD_STATE', 'NOT_FOUND', 'STALE_LEASE', 'QUEUE_FULL'])(
    'is used all the same when the broker does not keep it: %s',
    async (code) => {
      const { journal, asked, lines } = journalBehind(code);
      expect(await journal.put(hash, value)).toBe(value);
      expect(asked).toHaveLength(1);
      expect(lines).toEqual(['the journal refused']);
    },
  );

  it('is waited for at the end, until that is given up', async () => {
    const many = Array.from({ length: 1000 }, (): ErrorCode => 'DISK_FULL');
    const { journal, keeper, lines } = journalBehind(...many);
    const putting = journal.put(hash, value);
    let isIdle = false;
    const idle = (async () => {
      await keeper.idle();
      isIdle = true;
    })();
    await new Promise(setImmediate);
    expect(isIdle).toBe(false);
    keeper.close();
    expect(await putting).toBe(value);
    await idle;
    expect(lines.at(-1)).toMatch(/was not kept/);
  });
});

describe('the charge of a paid answer', () => {
  const charge: CallCharge = {
    hold: 7,
    end: 'settled',
    model: 'm',
    usage: { calls: 1, inputTokens: 1, outputTokens: 1, costMicros: 5, estimated: false },
    throttledMs: null,
    allowances: [],
  };

  it('is kept with it, in one request, also over lost connections', async () => {
    const { journal, kept, alone } = journalBehind('UNREACHABLE');
    await journal.put(hash, value, charge);
    expect([kept, alone]).toEqual([[7], []]);
  });

  it.each<ErrorCode>(['UNSUPPORTED', 'QUEUE_FULL', 'NOT_FOUND'])(
    'goes alone where the answer is not kept: %s',
    async (code) => {
      const { journal, kept, alone } = journalBehind(code);
      await journal.put(hash, value, charge);
      expect([kept, alone]).toEqual([[], [7]]);
      await journal.put(hash, value, { ...charge, hold: 8 });
      expect(kept.concat(alone)).toEqual(code === 'UNSUPPORTED' ? [7, 8] : [8, 7]);
    },
  );
});

describe('the question whether something was paid', () => {
  it('has the answer at hand that waits to be kept', async () => {
    const many = Array.from({ length: 1000 }, (): ErrorCode => 'DISK_FULL');
    const { journal, journalOf, keeper, asked } = journalBehind(...many);
    const putting = journal.put(hash, Buffer.from('waits'));
    const again = journalOf(leaseOf({ token: { id: 'j', epoch: 2, delivery: 2 } }));
    expect(Buffer.from((await again.get(hash)) ?? '').toString()).toBe('waits');
    expect(asked.every((one) => one.startsWith('put'))).toBe(true);
    const other = journalOf(leaseOf({ token: { id: 'k', epoch: 2, delivery: 2 } }));
    const asking = other.get(hash);
    keeper.close();
    expect(await asking).toBeNull();
    await putting;
  });

  it('is repeated until there is an answer', async () => {
    const { journal, asked } = journalBehind('UNREACHABLE');
    expect(await journal.get(hash)).toBe(value);
    expect(asked).toEqual(['get j', 'get j']);
  });
});

describe('a broker without a journal', () => {
  it('is told of once and asked no more', async () => {
    const { journal, asked, lines } = journalBehind('UNSUPPORTED');
    expect(await journal.get(hash)).toBeNull();
    expect(await journal.put(hash, value)).toBe(value);
    expect(await journal.get(hash)).toBeNull();
    expect(asked).toHaveLength(1);
    expect(lines).toHaveLength(1);
  });
});
