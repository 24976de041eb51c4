/**
 * The file `clock` in a broker's folder: the broker's wall clock, from which the next start continues
 * until the machine is rebooted.
 */

import { readFileSync } from 'node:fs';
import { BrokerClock, type KeptClock, stepMsMaxOf } from '../broker-clock.ts';
import { replaceTextFile } from './folder.ts';
import { FolderLostError, type HeldFolder } from './held-folder.ts';

/** Makes the clock of a starting broker, from the file where it is valid. */
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

/** Null when nothing was written since the machine booted. */
function keptSince(boot: string, text: string): KeptClock | null {
  const [keptAt, ...numbers] = text.trim().split(' ');
  const [uptimeMs = Number.NaN, wallMs = Number.NaN] = numbers.map(Number);
  const isWhole = keptAt === boot && Number.isSafeInteger(uptimeMs) && Number.isSafeInteger(wallMs);
  return isWhole ? { uptimeMs, wallMs } : null;
}

/** On a full disk the next start uses the system's clock. */
function keep(folder: HeldFolder, boot: string, { uptimeMs, wallMs }: KeptClock): void {
  try {
    replaceTextFile(folder, 'clock', `${boot} ${uptimeMs} ${wallMs}\n`);
  } catch (error) {
    if (error instanceof FolderLostError) throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
