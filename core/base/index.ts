/** What any layer may need: folders made safely, durations as people write them, timers that wait as long. */

export { durationProblem, parseDuration } from './duration.ts';
export { FolderError, makeFolder } from './make-folder.ts';
export { type OwnFolder, openOwnFolder, throughDescriptor } from './own-folder.ts';
export { processStart } from './process-start.ts';
export { startTimer, type Timer } from './timer.ts';
