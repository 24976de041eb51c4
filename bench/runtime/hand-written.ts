/** What a careful user writes by hand: one call of the `openai` package, and its answer durable in a file. */

import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OpenAI } from 'openai';
import type { Provider } from '../../core/model/index.ts';
import { systemPrompt } from './contestant.ts';

export type Answer = (text: string, path: string) => Promise<void>;

/** Calls the model, and resolves once the file and its name are on the disk. */
export function answering({ baseURL, apiKey, defaultModel: model }: Provider): Answer {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  return async (text, path) => {
    const completion = await client.chat.completions.create({
      model,
      messages: [
        { role: 'system', content: systemPrompt },
        { role: 'user', content: text },
      ],
    });
    await publish(path, completion.choices[0]?.message.content ?? '');
  };
}

async function publish(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(`${path}.tmp`, 'w');
  await file.writeFile(content);
  await file.sync();
  await file.close();
  await rename(`${path}.tmp`, path);
  const folder = await open(dirname(path));
  await folder.sync();
  await folder.close();
}
