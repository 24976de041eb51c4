/** Messages between the broker and the history's thread, in both directions. */

import type { ErrorCode, Message } from '../../protocol/index.ts';
import type { LogIdentity } from './database.ts';
import type { SearchFilter } from './search-query.ts';

/** Start parameters of the thread. */
export interface ThreadSetup {
  readonly file: string;
  readonly log: LogIdentity;
  /** Folder of the log's segments. */
  readonly logDir: string;
  /** Discard the content of the file. */
  readonly rebuild: boolean;
  /** Time of one search, after which its page ends early. */
  readonly searchBudgetMs: number;
}

export type ToThread =
  /** Read a portion of the log, up to this offset at most, and apply it. */
  | { readonly type: 'follow'; readonly upTo: number }
  | { readonly type: 'search'; readonly number: number; readonly filter: SearchFilter }
  | { readonly type: 'close' };

export type FromThread =
  /** The file is open and at this offset; `rebuiltBecause` is the reason of a rebuild. */
  | {
      readonly type: 'opened';
      readonly offset: number;
      readonly rebuiltBecause: string | null;
    }
  /** A portion was applied: the answer to `follow`. */
  | { readonly type: 'applied'; readonly offset: number }
  /** The log dropped records that were not read: the answer to `follow`. */
  | { readonly type: 'dropped' }
  | { readonly type: 'damaged'; readonly text: string }
  | { readonly type: 'found'; readonly number: number; readonly answer: Message<'SearchOk'> }
  | {
      readonly type: 'refused';
      readonly number: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** The thread ends with an error; `rebuild` when the next one must rebuild the file. */
  | { readonly type: 'failed'; readonly message: string; readonly rebuild: boolean };
