/** The tool `search_files`: full-text search over the agent's knowledge, passages verbatim. */

import type { FoundPassage, SearchResult } from './knowledge/base.ts';
import { leftOutText } from './knowledge/left-out.ts';
import { defineTool, type Tool } from './tool.ts';

interface SearchArguments {
  readonly query: string;
  readonly limit: number;
}

/** So many bytes of passages fit into one answer of a tool, with their paths. */
const passageBytesMax = 24 * 1024;

export const searchFiles: Tool<SearchArguments> = defineTool({
  name: 'search_files',
  description:
    'Searches the files for words and returns the best passages, word for word, with their paths ' +
    'and lines. Use the words that the text itself would use; try synonyms when nothing fits.',
  parameters: {
    type: 'object',
    additionalProperties: false,
    required: ['query'],
    properties: {
      query: { type: 'string', minLength: 1, maxLength: 1000, description: 'Words to look for' },
      limit: {
        type: 'integer',
        minimum: 1,
        maximum: 50,
        default: 8,
        description: 'Most passages to return',
      },
    },
  },
  async run({ query, limit }, { agent, knowledge }) {
    const result = await knowledge.search(query, limit);
    const note = noteOf(
      result,
      agent.knowledge.flatMap(({ include }) => include),
    );
    return {
      passages: fitting(result).map(shown),
      files: result.files,
      ...(note === null ? {} : { note }),
      ...(result.leftOut.length === 0 ? {} : { notSearched: leftOutText(result.leftOut) }),
    };
  },
});

/** A passage as the model sees it; a cut sentence is marked only where there is one. */
function shown({ path, from, to, score, cutAtStart, cutAtEnd, text }: FoundPassage): object {
  return {
    path,
    lines: from === to ? `${from}` : `${from}-${to}`,
    score,
    ...(cutAtStart ? { cutAtStart } : {}),
    ...(cutAtEnd ? { cutAtEnd } : {}),
    text,
  };
}

function noteOf({ files, passages }: SearchResult, patterns: readonly string[]): string | null {
  if (files === 0) return `No file matches the patterns ${patterns.join(', ')}.`;
  return passages.length === 0 ? 'No passage has these words. Try others.' : null;
}

/** The best passages, as many as fit; the first always does. */
function fitting({ passages }: SearchResult): SearchResult['passages'] {
  let bytes = 0;
  const end = passages.findIndex(({ text }) => {
    bytes += Buffer.byteLength(text);
    return bytes > passageBytesMax;
  });
  return end === -1 ? passages : passages.slice(0, Math.max(1, end));
}
