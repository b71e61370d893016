import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { freePort } from './ports.ts';

const PROGRAM = join(import.meta.dirname, 'origin-process.ts');

/** How the origin is to answer from now on; what is left out stays. */
export interface OriginBehaviour {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The value is this and the key, or so many bytes of it. */
  readonly body?: string;
  readonly bytes?: number;
  readonly delayMs?: number;
  /** Half of the value comes, the rest when it is false again. */
  readonly holdsHalf?: boolean;
  /** Requests wait until it is false again. */
  readonly isHeld?: boolean;
  /** What it has seen is forgotten. */
  readonly isForgotten?: boolean;
}

/** What the origin has seen. */
export interface OriginView {
  /** The keys, one for each request. */
  readonly asked: readonly string[];
  /** Requests at once, at most. */
  readonly most: number;
  /** Requests that wait for their answer. */
  readonly present: number;
}

/** A real HTTP origin in a process of its own. */
export class OriginUnderTest {
  readonly process: ChildProcess;
  readonly port: number;
  // A question of the test must not wait behind the proxy's.
  readonly #agent = new Agent({ connections: 1 });

  constructor(process: ChildProcess, port: number) {
    this.process = process;
    this.port = port;
  }

  /** What a namespace is configured with. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/fill/{key}`;
  }

  async tell(behaviour: OriginBehaviour): Promise<OriginView> {
    return this.#control('PUT', JSON.stringify(behaviour));
  }

  async seen(): Promise<OriginView> {
    return this.#control('GET');
  }

  async stop(): Promise<void> {
    await this.#agent.destroy();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async #control(method: 'GET' | 'PUT', body?: string): Promise<OriginView> {
    const { body: answer } = await request(`http://127.0.0.1:${this.port}/control`, {
      method,
      body,
      dispatcher: this.#agent,
    });
    return (await answer.json()) as OriginView;
  }
}

/** Starts an origin; it ends with the process that started it at the latest. */
export async function startOrigin(port?: number): Promise<OriginUnderTest> {
  const child = spawn(process.execPath, [PROGRAM, String(port ?? (await freePort()))], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const [line] = await once(child.stdout!, 'data');
  return new OriginUnderTest(child, Number(/^ready (\d+)/.exec(String(line))![1]));
}
