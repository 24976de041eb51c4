/** The commands of `aiq broker`. */

import type { Command } from 'commander';
import type { RunAction } from '../../session.ts';
import { addBackup } from './backup.ts';
import { addRestore } from './restore.ts';
import { addSalvage } from './salvage.ts';
import { addStart } from './start.ts';
import { addStatus } from './status.ts';
import { addStop } from './stop.ts';
import { addVerify } from './verify.ts';

export function addBroker(root: Command, run: RunAction): void {
  const broker = root.command('broker').helpCommand(false);
  addStart(broker, run);
  addStatus(broker, run);
  addStop(broker, run);
  addVerify(broker, run);
  addBackup(broker, run);
  addRestore(broker, run);
  addSalvage(broker, run);
}
