/** The broker: durable named queues behind a binary protocol, on Node's standard library alone. */

export { type BrokerEnd, type RunningBroker, startBroker } from './broker.ts';
export { FolderLockedError } from './folder/folder-lock.ts';
export { FolderLostError } from './folder/held-folder.ts';
export type { RecoveryReport } from './log/contract.ts';
export { type BackupReport, backupLog } from './maintenance/backup.ts';
export { MaintenanceError } from './maintenance/maintenance-error.ts';
export { type RestoreReport, restoreLog } from './maintenance/restore.ts';
export { type LossReport } from './maintenance/salvage/loss-report.ts';
export { type SalvageReport, salvageLog } from './maintenance/salvage/salvage.ts';
export { describeProblem, type LogProblem } from './maintenance/survey/problems.ts';
export { type VerifyReport, verifyLog } from './maintenance/verify.ts';
export type { BrokerOptions } from './options.ts';
