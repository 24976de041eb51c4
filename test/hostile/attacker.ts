/**
 * The process that attacks: `node attacker.ts`, told what to do by its parent. It tells how much
 * processor time it took, so that a process that speaks to nobody can take as much.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Ground, Stock } from './attack.ts';
import { attackOf, burn } from './attacks.ts';
import type { Where } from './peer.ts';

/** What the parent asks for: an attack by name, or so much of a processor. */
export interface Orders {
  readonly attack: string | null;
  readonly burnShare: number;
  readonly seconds: number;
  readonly stock: Stock;
  readonly unix: Where;
  readonly tcp: Where;
}

export interface Deeds {
  readonly counts: Record<string, number>;
  /** Share of one processor that was taken. */
  readonly processorShare: number;
}

/** Nobody's user: what is not given to everybody is not given to it. */
const strangerUid = 65_534;

function becomeStranger(): void {
  process.setgroups?.([strangerUid]);
  process.setgid?.(strangerUid);
  process.setuid?.(strangerUid);
}

async function obey({ attack, burnShare, seconds, stock, unix, tcp }: Orders): Promise<Deeds> {
  const counts: Record<string, number> = {};
  const startMs = performance.now();
  const isOver = (): boolean => performance.now() - startMs >= seconds * 1000;
  const before = process.cpuUsage();
  if (attack === null) await burn(burnShare, isOver);
  else {
    const over = sleep(seconds * 1000);
    const count = (what: string, times = 1): void => {
      counts[what] = (counts[what] ?? 0) + times;
    };
    const ground: Ground = { unix, tcp, stock, isOver, over, count };
    const found = attackOf(attack);
    if (found.isStranger === true && process.getuid?.() === 0) becomeStranger();
    await Promise.race([found.run(ground), over.then(() => sleep(500))]);
  }
  const { user, system } = process.cpuUsage(before);
  return { counts, processorShare: (user + system) / 1000 / (performance.now() - startMs) };
}

process.once('message', (orders: Orders) => {
  obey(orders).then(
    (deeds) => process.send?.(deeds, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
