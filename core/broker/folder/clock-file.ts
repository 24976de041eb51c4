/**
 * The file `clock` in a broker's folder: what its wall clock showed, for the next start to go on from
 * while the machine has not started anew.
 */

import { readFileSync } from 'node:fs';
import { BrokerClock, type KeptClock, stepMsMaxOf } from '../broker-clock.ts';
import { placeText } from './folder.ts';
import { FolderGoneError, type HeldFolder } from './held-folder.ts';

/** The clock of a broker that starts on the folder. */
export function startClock(
  folder: HeldFolder,
  leaseMs: number,
  onNotice: (text: string) => void,
): BrokerClock {
  const boot = read('/proc/sys/kernel/random/boot_id').trim();
  const kept = boot === '' ? null : keptSince(boot, read(folder.path('clock')));
  const clock = new BrokerClock({ kept, stepMsMax: stepMsMaxOf(leaseMs), onNotice });
  if (boot !== '') keep(folder, boot, clock.kept);
  return clock;
}

/** Null when nothing was kept since the machine started. */
function keptSince(boot: string, text: string): KeptClock | null {
  const [keptAt, ...numbers] = text.trim().split(' ');
  const [uptimeMs = Number.NaN, wallMs = Number.NaN] = numbers.map(Number);
  const isWhole = keptAt === boot && Number.isSafeInteger(uptimeMs) && Number.isSafeInteger(wallMs);
  return isWhole ? { uptimeMs, wallMs } : null;
}

/** Where there is no room for it, the next start goes by the system's clock. */
function keep(folder: HeldFolder, boot: string, { uptimeMs, wallMs }: KeptClock): void {
  try {
    placeText(folder, 'clock', `${boot} ${uptimeMs} ${wallMs}\n`);
  } catch (error) {
    if (error instanceof FolderGoneError) throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
