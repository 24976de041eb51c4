/** What a planted bug is. */

/** One place of the sources: what stands there and what the bug makes of it. */
export interface Edit {
  /** The file, and what it declares there: `core/a.ts#function` or `core/a.ts#Class.#member`. */
  readonly in: `${string}.ts#${string}`;
  /** Stands once in that declaration, whatever white space and comments are in between. */
  readonly find: string;
  readonly replace: string;
}

/** What must fail: seeds of the simulation, or a test file. */
type Catcher = { readonly seeds: number; readonly steps: number } | { readonly test: string };

export interface PlantedBug {
  readonly name: string;
  /** What is wrong, in words. */
  readonly what: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: Catcher;
}

/** Most bugs show within a few of these seeds; the first that shows one ends the run. */
export const simulation = { seeds: 400, steps: 2_000 } as const;
