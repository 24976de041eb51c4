/** Lists the models of an address, also as a probe whether a server answers there. */

import type { Provider } from '../model.ts';
import { authorization } from './authorization.ts';

const listBytesMax = 1024 * 1024;

export type ModelList =
  | { readonly ok: true; readonly models: readonly string[] }
  /** `status` is that of a server that answered, whatever it answered with; null when none did. */
  | { readonly ok: false; readonly reason: string; readonly status: number | null };

export interface ListOptions extends Pick<Provider, 'apiKey' | 'headers' | 'query'> {
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/** Model ids of `GET <baseURL>/models` in the server's order, without those that only embed. */
export async function listModels(baseURL: string, options: ListOptions): Promise<ModelList> {
  let status: number | null = null;
  try {
    const query = new URLSearchParams(options.query).toString();
    const address = `${baseURL.replace(/\/+$/, '')}/models${query === '' ? '' : `?${query}`}`;
    const headers = new Headers({ accept: 'application/json' });
    for (const [name, value] of Object.entries(authorization(options))) {
      if (value !== null) headers.set(name, value);
    }
    const response = await options.fetch(address, {
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    status = response.status;
    if (!response.ok) return { ok: false, reason: `it answered with HTTP ${status}`, status };
    const models = idsOf(JSON.parse(await boundedText(response)));
    return models === null
      ? { ok: false, reason: 'it lists no models', status }
      : { ok: true, models };
  } catch (error) {
    return { ok: false, reason: reasonOf(error), status };
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > listBytesMax) throw new Error('its list of models is endless');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function idsOf(body: unknown): string[] | null {
  const data = (body as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) return null;
  return data
    .map((entry: { id?: unknown } | null) => entry?.id)
    .filter((id): id is string => typeof id === 'string' && !/embed/i.test(id));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be reached';
  if (error.name === 'TimeoutError') return 'it does not answer in time';
  if (error instanceof SyntaxError) return 'it does not answer with JSON';
  const { code, message } = (error.cause ?? error) as { code?: string; message?: string };
  return code ?? message ?? 'it cannot be reached';
}
