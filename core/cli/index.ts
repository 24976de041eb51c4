/** The command line: the only place that reads argv and prints. */

export { exitCodes } from './exit-codes.ts';
export { main } from './main.ts';
