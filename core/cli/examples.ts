/**
 * The examples of help texts. A test runs each as printed, in a folder where the files and jobs
 * that they name exist: the ids are those of jobs that were added with `--id monday` and so on.
 */

/** Jobs of the examples, by the key that gives them their id. */
export const exampleJobs = {
  monday: 'hf19mh2xb317',
  tuesday: '01x6yw8kyva5',
  wednesday: 'b8wsge28npnz',
  thursday: 'mdxphqxdfnsc',
  friday: 'v7erf0faf6q5',
} as const;

/** A command line, and a remark. */
export type Example = readonly [command: string, meaning?: string];

/** The block behind the options of a command; meanings begin in one column. */
export function examplesText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([command]) => command.length));
  const lines = examples.map(([command, meaning]) =>
    meaning === undefined ? `  ${command}` : `  ${command.padEnd(width)}    ${meaning}`,
  );
  return ['', 'Examples:', ...lines].join('\n');
}
