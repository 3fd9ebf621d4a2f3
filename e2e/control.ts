/** The JSON-lines conversation with the supervisor: operations go in on stdin, events come out on stdout. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ForesailError } from '../operator/errors.ts';

export type ProcessName =
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kwok'
  | 'prometheus'
  | NodeProcessName;

/** Those of a real node. */
export type NodeProcessName = 'containerd' | 'kubelet' | 'kube-proxy' | 'coredns' | 'metrics-server';

export type Signal = 'SIGSTOP' | 'SIGCONT' | 'SIGKILL' | 'SIGTERM' | 'SIGINT' | 'SIGHUP';

export type Operation =
  | { readonly op: 'stop' | 'kill' | 'start' | 'restart'; readonly process: ProcessName }
  | { readonly op: 'signal'; readonly process: ProcessName; readonly signal: Signal }
  | { readonly op: 'status' };

export type ClusterEvent =
  | { readonly event: 'started'; readonly process: ProcessName; readonly pid: number }
  | {
      readonly event: 'exited';
      readonly process: ProcessName;
      readonly pid: number;
      /** We asked for it. */
      readonly expected: boolean;
      /** -1 when a signal ended it. */
      readonly code: number;
      readonly signal?: string;
    };

interface Reply {
  readonly event: 'reply';
  readonly id: number;
  readonly error?: string;
  readonly pid?: number;
  readonly pids?: Record<ProcessName, number>;
}

export interface Control<Facts> {
  /** The facts of the ready event; rejects when the boot fails. */
  readonly ready: Promise<Facts>;
  /** Resolves when the supervisor has ended. */
  readonly ended: Promise<void>;
  send(operation: Operation): Promise<Reply>;
  /** Ends the conversation, and with it the cluster. */
  close(): void;
}

/** `onEvent` hears of every start and end of a process, also of those nobody asked for. */
export function control<Facts>(child: ChildProcess, onEvent: (event: ClusterEvent) => void): Control<Facts> {
  const waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  const ready = Promise.withResolvers<Facts>();
  ready.promise.catch(() => undefined); // whoever awaits it hears of it; nobody has to
  const ended = Promise.withResolvers<void>();
  let nextId = 1;
  let gone: Error | undefined;

  const onLine = (line: string): void => {
    const message = JSON.parse(line) as
      | ClusterEvent
      | Reply
      | { event: 'ready' }
      | { event: 'error'; message: string };
    switch (message.event) {
      case 'ready':
        ready.resolve(message as Facts);
        return;
      case 'error':
        ready.reject(failed(message.message));
        return;
      case 'reply': {
        const waiter = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.error === undefined) waiter?.resolve(message);
        else waiter?.reject(failed(message.error));
        return;
      }
      case 'started':
      case 'exited':
        onEvent(message);
    }
  };
  if (child.stdout) createInterface({ input: child.stdout }).on('line', onLine);
  child.stdin?.on('error', () => undefined); // a supervisor that died: `close` below tells
  const end = (error: Error): void => {
    gone = error;
    ready.reject(error);
    for (const waiter of waiting.values()) waiter.reject(error);
    waiting.clear();
    ended.resolve();
  };
  child.once('error', end);
  child.once('close', (code, signal) =>
    end(failed(`the supervisor has ended (${signal ?? `exit code ${code}`})`)),
  );

  return {
    ready: ready.promise,
    ended: ended.promise,
    send(operation) {
      if (gone) return Promise.reject(gone);
      const id = nextId++;
      const reply = Promise.withResolvers<Reply>();
      waiting.set(id, reply);
      child.stdin?.write(`${JSON.stringify({ id, ...operation })}\n`);
      return reply.promise;
    },
    close() {
      child.stdin?.end();
    },
  };
}

function failed(message: string): ForesailError {
  return new ForesailError('E2E_CLUSTER_FAILED', 'terminal', message);
}
