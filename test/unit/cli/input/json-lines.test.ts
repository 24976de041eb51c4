/** JSON lines: both forms, bad lines by number, any cutting of the bytes. */

import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../../core/agent/index.ts';
import { type JsonLine, readJsonLines } from '../../../../core/cli/input/json-lines.ts';

async function linesOf(
  text: string | Uint8Array,
  chunkBytes = 7,
  lineBytesMax = 200,
  fits?: (input: JsonObject) => boolean,
) {
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
    }
  }
  const lines: JsonLine[] = [];
  for await (const line of readJsonLines(chunks(), {
    agent: 'summarize',
    lineBytesMax,
    ...(fits && { fits }),
  })) {
    lines.push(line);
  }
  return lines;
}

test('a line is the bare input, and blank lines count but are skipped', async () => {
  expect(await linesOf('{"text":"a"}\n\n  \r\n{"text":"ü世"}')).toEqual([
    { line: 1, input: { text: 'a' }, id: null },
    { line: 4, input: { text: 'ü世' }, id: null },
  ]);
});

test('however the bytes arrive, the lines are the same', async () => {
  const text = '{"text":"ä"}\n{"text":"b"}\n{"input":{"text":"c"},"id":"k"}\n';
  const whole = await linesOf(text, 1000);
  expect(whole).toHaveLength(3);
  for (let chunk = 1; chunk < 30; chunk++) expect(await linesOf(text, chunk)).toEqual(whole);
});

describe('the long form', () => {
  test('has the input, and may have id and agent', async () => {
    expect(await linesOf('{"input":{"text":"a"},"id":"k1","agent":"summarize"}')).toEqual([
      { line: 1, input: { text: 'a' }, id: 'k1' },
    ]);
  });

  test('is told from an input that has a property called input', async () => {
    expect(await linesOf('{"input":{"a":1},"style":"x"}')).toEqual([
      { line: 1, input: { input: { a: 1 }, style: 'x' }, id: null },
    ]);
  });
});

test.each([
  ['{"input":{"a":1}}', { input: { a: 1 } }, null],
  ['{"input":{"input":{"a":1}}}', { input: { a: 1 } }, null],
  ['{"input":{"input":{"a":1}},"id":"k"}', { input: { a: 1 } }, 'k'],
  ['{"input":{"b":1},"id":"k"}', { b: 1 }, 'k'],
])(
  'of an agent with a property called input, the form counts that fits: %s',
  async (line, input, id) => {
    const fits = (given: JsonObject) => Object.keys(given).join() === 'input';
    expect(await linesOf(line, 7, 200, fits)).toEqual([{ line: 1, input, id }]);
  },
);

const bad: [what: string, line: string | Uint8Array, problem: RegExp][] = [
  ['no JSON', '{"text":', /not JSON/],
  ['no object', '["a"]', /not a JSON object/],
  ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), /not UTF-8/],
  ['another agent', '{"input":{},"agent":"search"}', /for agent "search"/],
  ['a bad id', '{"input":{},"id":7}', /id/],
  ['too many bytes', `{"text":"${'x'.repeat(300)}"}`, /longer than 200 bytes/],
];

test.each(bad)(
  'a line with %s is a problem with its number, and the next is read',
  async (_, line, problem) => {
    const text = Buffer.concat([
      Buffer.from('{"n":1}\n'),
      Buffer.from(line),
      Buffer.from('\n{"n":3}\n'),
    ]);
    expect(await linesOf(text)).toEqual([
      { line: 1, input: { n: 1 }, id: null },
      { line: 2, problem: expect.stringMatching(problem) },
      { line: 3, input: { n: 3 }, id: null },
    ]);
  },
);
