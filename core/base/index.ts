/** What any layer may need: errors with codes, backoff, quantities as people write them, folders made safely. */

export { type BackoffRange, backoffMs, withJitter } from './backoff.ts';
export { brokerFolder } from './broker-address.ts';
export { type CrashGuard, createCrashGuard } from './crash-guard.ts';
export type { Endpoints } from './endpoints.ts';
export { asError, CodedError, codeOf, hasCode, messageOf } from './errors.ts';
export { KeptResults } from './kept-results.ts';
export { FolderError, makeFolder } from './make-folder.ts';
export { outputPathProblem, unprintable } from './output-path.ts';
export { type OwnFolder, openOwnFolder, throughDescriptor } from './own-folder.ts';
export { processStart } from './process-start.ts';
export {
  durationProblem,
  formatMicros,
  parseCount,
  parseDuration,
  parseMicros,
  parseSize,
} from './quantities.ts';
export { shortSocketPath } from './socket-path.ts';
export { startAgainWith } from './start-again.ts';
export { startTimer, type Timer } from './timer.ts';
