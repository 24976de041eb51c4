/** A server on loopback that fails as it is asked to: the model id names the fault. */

import { type FakeServer, fakeServer, refuse } from '../integration/model/fake-server.ts';
import type { Fault } from './faults/index.ts';

export interface FaultServer extends FakeServer {
  /** Requests for a fault so far. */
  calls(name: string): number;
}

export async function faultServer(faults: readonly Fault[]): Promise<FaultServer> {
  const byName = new Map(faults.map((fault) => [fault.name, fault]));
  const counts = new Map<string, number>();
  const server = await fakeServer((response, seen) => {
    const name = String(seen.body['model']);
    const fault = byName.get(name);
    if (fault === undefined) {
      return refuse(response, 404, { message: `no fault "${name}"`, code: 'model_not_found' });
    }
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return fault.answer(response, seen, count);
  });
  return { ...server, calls: (name) => counts.get(name) ?? 0 };
}
