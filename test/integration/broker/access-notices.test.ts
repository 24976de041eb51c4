/** What an operator reads of access: who was refused, cut off or taken over, and who stopped the broker. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../../core/broker/index.ts';
import { encodePreamble, idToText } from '../../../core/protocol/index.ts';
import { helloFields, Peer, temporaryFolder } from './net/peer.ts';

let folder: ReturnType<typeof temporaryFolder>;
let broker: RunningBroker;
let notices: string[];

beforeEach(async () => {
  folder = temporaryFolder();
  notices = [];
  const onNotice = (text: string): void => void notices.push(text);
  const tcp = { host: '127.0.0.1', port: 0 };
  const quiet = { idleExitMs: null, history: false, onNotice, ioThreads: 1 };
  broker = await startBroker({ dir: folder.path, unix: true, tcp, ...quiet });
});

afterEach(async () => {
  await broker.stop();
  folder.remove();
});

const unixPeer = (): Peer => new Peer({ path: join(folder.path, 'broker.sock') });
const tcpPeer = (): Peer => new Peer(broker.addresses.tcp ?? { host: '', port: 0 });
const newId = (): string => idToText(randomBytes(16));

it('refused logins are told, a few of many, and none of it is a secret', async () => {
  const token = readFileSync(join(folder.path, 'token'), 'utf8').trim();
  const session = newId();
  for (let wave = 0; wave < 10; wave++) {
    const peers = Array.from({ length: 20 }, tcpPeer);
    for (const peer of peers) {
      peer.raw(encodePreamble());
      peer.send('Hello', 1, helloFields({ session, proof: new TextEncoder().encode(token) }));
    }
    for (const peer of peers) expect((await peer.refusal()).code).toBe('UNAUTHORIZED');
  }
  const told = notices.filter((line) => line.includes('a login over tcp from 127.0.0.1:'));
  expect(told).toHaveLength(10);
  expect(told[0]).toContain('was refused: UNAUTHORIZED');
  expect(notices.join()).not.toContain(token);
  expect(notices.join()).not.toContain(session);
});

it('a session that is taken over and a request to stop are told with the names of who did it', async () => {
  const session = newId();
  const [first, second] = [unixPeer(), tcpPeer()];
  await first.hello({ session, client: 'mine' });
  const token = new TextEncoder().encode(readFileSync(join(folder.path, 'token'), 'utf8').trim());
  await second.hello({ session, client: 'an "other"' }, token);
  expect((await first.refusal()).code).toBe('SESSION_IN_USE');
  second.send('Shutdown', 2, {});
  await broker.closed;
  expect(notices).toContain(
    'the session of client "mine" over unix was taken over by client "an \\"other\\"" over tcp',
  );
  expect(notices).toContain('client "an \\"other\\"" over tcp asks the broker to stop');
  expect(notices.join()).not.toContain(session);
});
