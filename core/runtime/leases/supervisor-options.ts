/** What the lease supervisor works with. */

import type { Definitions } from '../agents/definitions.ts';
import type { IsolatedRuns } from '../isolated/isolated-runs.ts';
import type { JobReport, RuntimeLog } from '../options.ts';
import type { Pool } from '../pool/pool.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { ProviderHealth } from '../providers/provider-health.ts';
import type { WritesOutputs } from './files.ts';
import type { Gates } from './gates.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import type { MoneyKeeper } from './money-keeper.ts';

export interface LeaseSupervisorOptions {
  readonly pool: Pool;
  /** For jobs that must be alone. */
  readonly isolated: IsolatedRuns;
  readonly journals: JournalKeeper;
  readonly money: MoneyKeeper;
  readonly outputs: WritesOutputs;
  readonly gates: Gates;
  readonly health: ProviderHealth;
  /** Default: every job is of the definition that is here. */
  readonly definitions?: Pick<Definitions, 'isOwn' | 'classify' | 'followUp'>;
  readonly agents: ReadonlyMap<string, ThreadAgent>;
  readonly log: RuntimeLog;
  readonly onReport: (report: JobReport) => void;
  /** Leases came, began or ended. */
  readonly onChange: () => void;
}
