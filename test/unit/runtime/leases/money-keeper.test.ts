/** The money of a run's calls: what is held is charged once, whatever becomes of run, lease and broker. */

import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  AiqError,
  type CallBound,
  type Charge,
  type ErrorCode,
  noUsage,
  type Reserved,
} from '../../../../core/job-queue/index.ts';
import type { CallCharge } from '../../../../core/runtime/attempt/money.ts';
import { MoneyKeeper } from '../../../../core/runtime/leases/money-keeper.ts';
import { leaseOf } from '../../../support/runtime-fakes.ts';

const usage = { ...noUsage, calls: 1, costMicros: 5 };
const callOf = (hold: number) => ({ hold, model: 'm', boundMicros: 40, rates: null });
const chargeOf = (hold: number, end: CallCharge['end'] = 'settled'): CallCharge => ({
  hold,
  end,
  model: 'm',
  usage,
  throttledMs: null,
  allowances: [],
});

/** A broker that fails with each of the codes in turn before it answers. */
function moneyBehind(...codes: ErrorCode[]) {
  const reserved: CallBound[] = [];
  const charged: Charge[] = [];
  const lines: string[] = [];
  const broker = { answer: async (): Promise<Reserved> => ({ ok: true }) };
  const failing = (): void => {
    const code = codes.shift();
    if (code !== undefined) throw new AiqError(code, `failed: ${code}`);
  };
  const keeper = new MoneyKeeper({
    log: { warn: (_, message) => lines.push(message) },
    random: () => 0,
  });
  const leased = leaseOf({ job: { id: 'j', agent: 'echo', tags: ['night'] } });
  const money = keeper.of(leased, {
    reserve: async (_, call) => {
      reserved.push(call);
      failing();
      return broker.answer();
    },
    charge: async (charges) => {
      failing();
      charged.push(...charges);
    },
  });
  const ends = () => charged.map(({ hold, end }) => `${hold} ${end}`);
  return { keeper, money, broker, codes, reserved, charged, ends, lines };
}

describe('a reservation', () => {
  it('names the call, and whose it is', async () => {
    const { money, reserved } = moneyBehind();
    expect(await money.reserve(callOf(1))).toEqual({ ok: true });
    expect(reserved).toEqual([
      { hold: 1, agent: 'echo', model: 'm', tags: ['night'], boundMicros: 40, rates: null },
    ]);
  });

  it.each<ErrorCode>(['UNREACHABLE', 'OUTCOME_UNKNOWN', 'DISK_FULL', 'QUEUE_FULL'])(
    'is asked for again after %s, under the same number',
    async (code) => {
      const { money, reserved, lines } = moneyBehind(code, code);
      expect(await money.reserve(callOf(1))).toEqual({ ok: true });
      expect(reserved.map(({ hold }) => hold)).toEqual([1, 1, 1]);
      expect(lines).toHaveLength(1);
    },
  );

  it('that is refused holds nothing, and is said so', async () => {
    const { money, keeper, charged } = moneyBehind('STALE_LEASE');
    const refused = { ok: false, reason: 'refused', message: 'failed: STALE_LEASE' };
    expect(await money.reserve(callOf(1))).toEqual(refused);
    money.end();
    await keeper.idle();
    expect(charged).toEqual([]);
  });

  it('that finds no room is handed on, and holds nothing', async () => {
    const { money, broker, charged } = moneyBehind();
    const none = { reason: 'amount', budget: 'daily', leftMicros: 1, opensAtMs: null } as const;
    broker.answer = async () => ({ ok: false, ...none });
    expect(await money.reserve(callOf(1))).toMatchObject({ ok: false, budget: 'daily' });
    money.end();
    expect(charged).toEqual([]);
  });

  it('is asked for once where the broker knows no budgets, and nothing is charged there', async () => {
    const { money, reserved, charged } = moneyBehind('UNSUPPORTED');
    expect(await money.reserve(callOf(1))).toEqual({ ok: true });
    expect(await money.reserve(callOf(2))).toEqual({ ok: true });
    expect(reserved).toHaveLength(1);
    await money.charge(chargeOf(1));
    expect(money.take(chargeOf(2))).toBeNull();
    expect(charged).toEqual([]);
  });

  it('that is not waited for any more is charged as unsent as soon as it is granted', async () => {
    const { money, keeper, broker, ends } = moneyBehind();
    const granted = Promise.withResolvers<Reserved>();
    broker.answer = () => granted.promise;
    const waiting = money.reserve(callOf(1));
    await money.charge(chargeOf(1, 'unsent'));
    expect(ends()).toEqual([]);
    granted.resolve({ ok: true });
    await waiting;
    money.end();
    await keeper.idle();
    expect(ends()).toEqual(['1 unsent']);
  });

  it('that the run did not live to see is charged as unsent too', async () => {
    const { money, keeper, broker, ends } = moneyBehind();
    const granted = Promise.withResolvers<Reserved>();
    broker.answer = () => granted.promise;
    const waiting = money.reserve(callOf(1));
    money.end();
    granted.resolve({ ok: true });
    await waiting;
    await keeper.idle();
    expect(ends()).toEqual(['1 unsent']);
  });

  it('of which no one knows whether it was granted is charged as unsent, and not asked for again', async () => {
    const many = Array.from({ length: 3 }, (): ErrorCode => 'OUTCOME_UNKNOWN');
    const { money, keeper, reserved, ends } = moneyBehind(...many);
    const waiting = money.reserve(callOf(1));
    await turn();
    await money.charge(chargeOf(1, 'unsent'));
    await waiting;
    await keeper.idle();
    expect(reserved).toHaveLength(1);
    expect(ends()).toEqual(['1 unsent']);
  });
});

describe('a charge', () => {
  it('says whose call it was, and counts once', async () => {
    const { money, keeper, charged } = moneyBehind();
    await money.reserve(callOf(1));
    await money.charge(chargeOf(1));
    await money.charge(chargeOf(1));
    money.end();
    await keeper.idle();
    expect(charged).toEqual([{ id: 'j', agent: 'echo', ...chargeOf(1) }]);
  });

  it('of a call that held nothing is delivered, and silently dropped by a broker that counts nothing', async () => {
    const { money, keeper, codes, ends, lines } = moneyBehind();
    await money.charge(chargeOf(0));
    await keeper.idle();
    codes.push('UNSUPPORTED');
    await money.charge(chargeOf(0));
    await keeper.idle();
    await money.charge(chargeOf(0));
    await keeper.idle();
    expect([ends(), lines]).toEqual([['0 settled'], []]);
  });

  it('that went with an entry of the journal is none of its own', async () => {
    const { money, keeper, charged } = moneyBehind();
    await money.reserve(callOf(1));
    expect(money.take(chargeOf(1))).toMatchObject({ id: 'j', hold: 1 });
    money.end();
    await keeper.idle();
    expect(charged).toEqual([]);
  });

  it('is unknown, at the bound, for a call that was under way when its run ended', async () => {
    const { money, keeper, charged } = moneyBehind();
    await money.reserve(callOf(1));
    await money.reserve(callOf(2));
    await money.charge(chargeOf(1));
    money.end();
    await keeper.idle();
    expect(charged.map(({ hold, end }) => [hold, end])).toEqual([
      [1, 'settled'],
      [2, 'unknown'],
    ]);
    expect(charged[1]?.usage).toMatchObject({ calls: 1, costMicros: 40, estimated: true });
  });

  it('is delivered in the end, however often the broker is away', async () => {
    const { money, keeper, codes, ends, lines } = moneyBehind();
    await money.reserve(callOf(1));
    codes.push('UNREACHABLE', 'DISK_FULL', 'OUTCOME_UNKNOWN');
    await money.charge(chargeOf(1));
    await keeper.idle();
    expect(ends()).toEqual(['1 settled']);
    expect(lines).toEqual(['the charge of a call cannot be delivered: trying again']);
  });

  it('is waited for at the end, until that is given up, which is reported', async () => {
    const { money, keeper, codes, ends, lines } = moneyBehind();
    await money.reserve(callOf(1));
    codes.push(...Array.from({ length: 1000 }, (): ErrorCode => 'UNREACHABLE'));
    await money.charge(chargeOf(1));
    let isIdle = false;
    const idle = (async () => {
      await keeper.idle();
      isIdle = true;
    })();
    await turn();
    expect(isIdle).toBe(false);
    keeper.close();
    await idle;
    expect(ends()).toEqual([]);
    expect(lines.at(-1)).toBe('the charge of a call was not delivered: its cost counts as unknown');
  });

  it('that the broker refuses is reported, and not offered again', async () => {
    const { money, keeper, codes, ends, lines } = moneyBehind();
    await money.reserve(callOf(1));
    codes.push('BAD_REQUEST');
    await money.charge(chargeOf(1));
    await keeper.idle();
    expect([ends(), lines]).toEqual([[], ['the charge of a call was refused']]);
  });
});
