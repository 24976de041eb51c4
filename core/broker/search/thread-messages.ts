/** Messages between the broker and the history's thread, in both directions. */

import type { ErrorCode, Message } from '../../protocol/index.ts';
import type { Chunk } from './chunk.ts';
import type { LogIdentity } from './database.ts';
import type { SearchFilter } from './search-query.ts';

/** Start parameters of the thread. */
export interface ThreadSetup {
  readonly file: string;
  readonly log: LogIdentity;
  /** Discard the content of the file. */
  readonly rebuild: boolean;
  /** Time of one search, after which its page ends early. */
  readonly searchBudgetMs: number;
  /** How long records are gathered before they are applied, unless there are many or a search waits. */
  readonly gatherMs: number;
}

export type ToThread =
  | { readonly type: 'chunk'; readonly chunk: Chunk }
  /** A search waits for this offset: apply records up to it without gathering more. */
  | { readonly type: 'applyUpTo'; readonly offset: number }
  | { readonly type: 'search'; readonly number: number; readonly filter: SearchFilter }
  | { readonly type: 'close' };

export type FromThread =
  /** The file is open and at this offset; `rebuiltBecause` is the reason of a rebuild. */
  | {
      readonly type: 'opened';
      readonly offset: number;
      readonly rebuiltBecause: string | null;
    }
  | { readonly type: 'applied'; readonly offset: number; readonly bytes: number }
  | { readonly type: 'found'; readonly number: number; readonly answer: Message<'SearchOk'> }
  | {
      readonly type: 'refused';
      readonly number: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** The thread ends with an error; `rebuild` when the next one must rebuild the file. */
  | { readonly type: 'failed'; readonly message: string; readonly rebuild: boolean };
