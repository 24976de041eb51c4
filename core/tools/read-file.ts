/** The tool `read_file`: lines of one file of the agent's knowledge, and of no other file. */

import { defineTool, type Tool } from './tool.ts';

interface ReadArguments {
  readonly path: string;
  readonly from: number;
  readonly to?: number;
}

const textBytesMax = 24 * 1024;
const line = { type: 'integer', minimum: 1 };

export const readFile: Tool<ReadArguments> = defineTool({
  name: 'read_file',
  description:
    'Reads lines of one of the files, word for word. Use it to see what stands around a passage ' +
    'that search_files found. Long files come in parts: go on with the next line.',
  parameters: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: { type: 'string', minLength: 1, description: 'Path as search_files shows it' },
      from: { ...line, default: 1, description: 'First line' },
      to: { ...line, description: 'Last line; without it, as much as fits' },
    },
  },
  async run({ path, from, to }, { knowledge }) {
    const text = await knowledge.read(path.replace(/^\.\//, ''));
    if (text === null) {
      throw new Error(`"${path}" is none of the files that may be read; search_files shows them`);
    }
    const lines = text.split('\n');
    if (from > lines.length) throw new Error(`"${path}" has ${lines.length} lines`);
    const part = fitting(lines.slice(from - 1, to));
    const last = from + part.length - 1;
    return { path, lines: `${from}-${last}`, linesInAll: lines.length, text: part.join('\n') };
  },
});

/** Whole lines up to the limit; a first line that is too long is cut. */
function fitting(lines: readonly string[]): readonly string[] {
  let bytes = 0;
  const end = lines.findIndex((one) => {
    bytes += Buffer.byteLength(one) + 1;
    return bytes > textBytesMax;
  });
  if (end === -1) return lines;
  return end > 0 ? lines.slice(0, end) : [(lines[0] ?? '').slice(0, textBytesMax / 4)];
}
