/**
 * Servers beside the process, reached over loopback: Redis and NATS JetStream, where they are installed.
 * Both are spoken to in their own protocol over one connection, which answers in the order of the
 * questions; a client library would add its own costs. They are started for the bench, with the
 * durability that is asked for, on a port that the system picks, and ended with it.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { recordAt } from '../workload.ts';
import type { OpenEngine, PeerEngine } from './engine.ts';

const START_MS = 10_000;
const RETRY_MS = 50;
/** Records that are on their way at the same time when many are appended. */
const WINDOW = 10_000;
const CRLF = Buffer.from('\r\n');

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** A port that nobody has at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function connectTo(port: number, child: ChildProcess): Promise<Socket> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket));
        socket.on('error', reject);
      });
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Questions on one connection and their answers, in the same order. */
class Conversation {
  readonly #socket: Socket;
  readonly #waiting: ((answer: string) => void)[] = [];
  #next = 0;
  #rest = '';

  /**
   * @param isAnswer picks the lines that answer a question
   */
  constructor(socket: Socket, isAnswer: (line: string) => boolean) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\r\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) if (isAnswer(line)) this.#answer(line);
    });
  }

  ask(...parts: (Buffer | string)[]): Promise<string> {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    process.nextTick(() => this.#socket.uncork());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#socket.destroy();
  }

  #answer(line: string): void {
    this.#waiting[this.#next++]?.(line);
    if (this.#next < WINDOW) return;
    this.#waiting.splice(0, this.#next);
    this.#next = 0;
  }
}

/** Ends a server that was started here. */
function endServer(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

function driver(
  child: ChildProcess,
  conversation: Conversation,
  send: (value: Buffer) => Promise<string>,
): OpenEngine {
  return {
    append: send,
    async appendAll(count) {
      for (let start = 0; start < count; start += WINDOW) {
        const length = Math.min(WINDOW, count - start);
        await Promise.all(Array.from({ length }, (_, i) => send(recordAt(start + i))));
      }
    },
    async close() {
      conversation.end();
      await endServer(child);
    },
  };
}

export function redisEngine(): PeerEngine {
  const missing = isInstalled('redis-server') ? null : 'redis-server is not installed';
  return {
    name: 'redis-server',
    missing: () => missing,
    async open({ directory, isDurable }) {
      const port = await freePort();
      const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
      const syncing = ['--appendonly', 'yes', '--appendfsync', isDurable ? 'always' : 'no'];
      const child = spawn('redis-server', [...settings, ...syncing], { stdio: 'ignore' });
      const conversation = new Conversation(await connectTo(port, child), () => true);
      return driver(child, conversation, async (value) => {
        const command = `*3\r\n$5\r\nRPUSH\r\n$1\r\nr\r\n$${value.length}\r\n`;
        const answer = await conversation.ask(command, value, CRLF);
        if (!answer.startsWith(':')) throw new Error(`redis-server: ${answer}`);
        return answer;
      });
    },
  };
}

/** Redis as a store of keys, whose clients each have a connection of their own. */
export const redisStore = {
  get missing(): string | null {
    return isInstalled('redis-server') ? null : 'redis-server is not installed';
  },

  /** @param directory which is made */
  async open(
    directory: string,
    clients: number,
  ): Promise<{
    set(key: string, value: Buffer): Promise<string>;
    get(): never;
    fill(): never;
    close(): Promise<void>;
  }> {
    mkdirSync(directory, { recursive: true });
    const port = await freePort();
    const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    const child = spawn('redis-server', [...settings, '--appendonly', 'yes', '--appendfsync', 'always'], {
      stdio: 'ignore',
    });
    const conversations: Conversation[] = [];
    for (let i = 0; i < clients; i++)
      conversations.push(new Conversation(await connectTo(port, child), () => true));
    const idle = [...conversations];
    const refuse = (): never => {
      throw new Error('only sets are measured');
    };
    return {
      async set(key, value) {
        // There are as many callers as connections.
        const conversation = idle.pop()!;
        const head = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n`;
        const answer = await conversation.ask(head, value, CRLF);
        idle.push(conversation);
        if (answer !== '+OK') throw new Error(`redis-server: ${answer}`);
        return answer;
      },
      get: refuse,
      fill: refuse,
      async close() {
        for (const conversation of conversations) conversation.end();
        await endServer(child);
      },
    };
  },
};

/** The first version of nats-server that can be told when to sync, as major * 100 + minor. */
const NATS_SYNC_VERSION = 210;

function natsVersion(): number {
  const text = spawnSync('nats-server', ['--version'], { encoding: 'utf8' }).stdout;
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(major ?? 0) * 100 + Number(minor ?? 0);
}

export function natsEngine(): PeerEngine {
  const missing = isInstalled('nats-server') ? null : 'nats-server is not installed';
  const canSync = missing === null && natsVersion() >= NATS_SYNC_VERSION;
  return {
    name: 'nats-server',
    missing: (isDurable) =>
      missing ?? (isDurable && !canSync ? 'this version has no sync_interval (2.10 has)' : null),
    async open({ directory, isDurable }) {
      const port = await freePort();
      const file = join(directory, 'nats.conf');
      const sync = canSync ? `, sync_interval: ${isDurable ? 'always' : '"1h"'}` : '';
      writeFileSync(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${directory}"${sync} }\n`);
      const child = spawn('nats-server', ['-c', file], { stdio: 'ignore' });
      const socket = await connectTo(port, child);
      // Of each message that is delivered here, the line behind its header is the answer.
      const conversation = new Conversation(socket, (line) => line.startsWith('{'));
      socket.write('CONNECT {"verbose":false,"echo":true}\r\nSUB inbox 1\r\n');
      const stream = JSON.stringify({ name: 'R', subjects: ['r'], storage: 'file' });
      const made = await conversation.ask(
        `PUB $JS.API.STREAM.CREATE.R inbox ${stream.length}\r\n${stream}\r\n`,
      );
      if (made.includes('"error"')) throw new Error(`nats-server: ${made}`);
      return driver(child, conversation, async (value) => {
        const answer = await conversation.ask(`PUB r inbox ${value.length}\r\n`, value, CRLF);
        if (answer.includes('"error"')) throw new Error(`nats-server: ${answer}`);
        return answer;
      });
    },
  };
}
