/** Durations as people write them, and timers that wait as long as these say. */

export { durationProblem, parseDuration } from './duration.ts';
export { startTimer, type Timer } from './timer.ts';
