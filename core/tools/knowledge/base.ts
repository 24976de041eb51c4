/** The knowledge base of an agent: the files that its `knowledge` names, and no others. */

export interface KnowledgeBase {
  /** Paths of the files, relative to the configuration's folder, sorted. */
  paths(): Promise<readonly string[]>;
  /** A file's present text; null when it is not one of these files, or is no text. */
  read(path: string): Promise<string | null>;
  /** The passages that fit the words best, best first; made of the present files. */
  search(query: string, limit: number): Promise<SearchResult>;
}

export interface SearchResult {
  readonly passages: readonly FoundPassage[];
  /** Number of files that were searched. */
  readonly files: number;
  /** Files that belong here but were left out, each with the reason. */
  readonly leftOut: readonly string[];
}

export interface FoundPassage {
  readonly path: string;
  /** First and last line, from 1. */
  readonly from: number;
  readonly to: number;
  /** Higher is better; comparable within one search only. */
  readonly score: number;
  /** Whether it begins, or ends, inside a sentence because a long paragraph was cut there. */
  readonly cutAtStart: boolean;
  readonly cutAtEnd: boolean;
  /** The file's own text, unchanged. */
  readonly text: string;
}
