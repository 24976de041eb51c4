/**
 * A server on loopback that fails as it is asked to: the model id names the fault, or a drill such
 * as `aiq-offline?latency=1s`, which answers with extracts.
 */

import { startOfflineThread } from '../../../core/offline-model/index.ts';
import {
  type FakeServer,
  fakeServer,
  refuse,
  type SeenRequest,
  testKey,
} from '../../integration/model/fake-server.ts';
import { createDrill } from '../drills/drill.ts';
import { drillId } from '../drills/knobs.ts';
import type { Fault } from '../faults/index.ts';

export interface FaultServer extends FakeServer {
  /** Sends a consumer there. */
  readonly env: { readonly OPENAI_BASE_URL: string; readonly OPENAI_API_KEY: string };
  /** Calls of a model so far; of all without a name. */
  calls(name?: string): number;
}

export async function faultServer(
  faults: readonly Fault[] = [],
  onCall: (body: SeenRequest['body']) => void = () => {},
): Promise<FaultServer> {
  const byName = new Map(faults.map((fault) => [fault.name, fault]));
  const counts = new Map<string, number>();
  const endpoint = await startOfflineThread();
  const drill = createDrill(endpoint);
  const server = await fakeServer((response, seen) => {
    if (seen.headers.authorization !== `Bearer ${testKey}`) {
      const error = { message: 'Incorrect API key provided.', code: 'invalid_api_key' };
      return refuse(response, 401, error);
    }
    if (seen.url.endsWith('/models')) {
      response.setHeader('content-type', 'application/json');
      return response.end(
        JSON.stringify({ data: [drillId, ...byName.keys()].map((id) => ({ id })) }),
      );
    }
    const name = String(seen.body['model']);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    onCall(seen.body);
    const fault = byName.get(name);
    if (fault !== undefined) return fault.answer(response, seen, count);
    if (name.startsWith(drillId)) return drill(response, seen);
    return refuse(response, 404, { message: `no fault "${name}"`, code: 'model_not_found' });
  });
  return {
    ...server,
    provider: { ...server.provider, defaultModel: drillId },
    env: { OPENAI_BASE_URL: server.provider.baseURL, OPENAI_API_KEY: testKey },
    calls: (name) =>
      name === undefined
        ? [...counts.values()].reduce((sum, count) => sum + count, 0)
        : (counts.get(name) ?? 0),
    close: async () => {
      await Promise.all([server.close(), endpoint.close()]);
    },
  };
}
