/**
 * A model server on loopback that can be away, rename its model and change its key while a consumer
 * runs, and counts the calls that it answered or refused.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class MoodyServer {
  key = 'key-1';
  model = 'model-1';
  /** Answers calls itself, where the test says so, and is true then; or lets an answer wait. */
  mood: (response: ServerResponse, prompt: string) => boolean | Promise<false> = () => false;
  calls = 0;
  looks = 0;
  #server: Server | null = null;
  #port = 0;

  static async start(): Promise<MoodyServer> {
    const server = new MoodyServer();
    await server.comeBack();
    return server;
  }

  get baseURL(): string {
    return `http://127.0.0.1:${this.#port}/v1`;
  }

  /** Nobody listens any more, and what was under way is cut. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await new Promise<void>((resolve) => {
      server?.close(() => resolve());
      server?.closeAllConnections();
      if (server === null) resolve();
    });
  }

  /** Listens on the same port as before. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => {
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const isLook = request.url?.endsWith('/models') === true;
    if (isLook) this.looks += 1;
    else this.calls += 1;
    if (request.headers.authorization !== `Bearer ${this.key}`) {
      refuse(response, 401, { message: 'Incorrect API key provided', code: 'invalid_api_key' });
    } else if (isLook) {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ data: [{ id: this.model }] }));
    } else {
      const { model } = JSON.parse(text) as { model: string };
      if (await this.mood(response, text)) return;
      if (model === this.model) complete(response, model);
      else {
        const message = `The model \`${model}\` does not exist`;
        refuse(response, 404, { message, code: 'model_not_found' });
      }
    }
  }
}

export function refuse(
  response: ServerResponse,
  status: number,
  error: Record<string, unknown>,
): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
}

function complete(response: ServerResponse, model: string): void {
  const message = { role: 'assistant', content: 'A summary.' };
  const usage = { prompt_tokens: 10, completion_tokens: 2 };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ model, choices: [{ message, finish_reason: 'stop' }], usage }));
}
