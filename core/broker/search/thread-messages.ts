/** What passes between the broker and the history's thread, typed in both directions. */

import type { ErrorCode, Message } from '../../protocol/index.ts';
import type { Chunk } from './chunk.ts';
import type { LogIdentity } from './database.ts';
import type { SearchFilter } from './search-query.ts';

/** What the thread is started with. */
export interface ThreadSetup {
  readonly file: string;
  readonly log: LogIdentity;
  /** Throw away what the file holds. */
  readonly rebuild: boolean;
  /** How long one search may take before its page ends. */
  readonly searchBudgetMs: number;
  /** How long records gather before they are applied, unless there are many or a search waits. */
  readonly gatherMs: number;
}

export type ToThread =
  | { readonly type: 'chunk'; readonly chunk: Chunk }
  /** A search waits for this offset: what leads there is applied without waiting for more. */
  | { readonly type: 'hurry'; readonly offset: number }
  | { readonly type: 'search'; readonly number: number; readonly filter: SearchFilter }
  | { readonly type: 'close' };

export type FromThread =
  /** The file is open and at this offset; `rebuiltBecause` tells why it was begun anew. */
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
  /** The thread ends; `rebuild` when the next one should begin anew. */
  | { readonly type: 'failed'; readonly message: string; readonly rebuild: boolean };
