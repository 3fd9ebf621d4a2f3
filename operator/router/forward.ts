/**
 * A request to a pod of a version and its copies to shadows, whatever the wire: pods in turn, another one when one is
 * gone, stable when a version cannot answer at all. A copy is never waited for, and has bounds of its own.
 */
import type { ByteBudget } from './body.ts';
import { chooseMirrors } from './choose.ts';
import { type PodLimits, Pods } from './pods.ts';
import type { Route, VersionRoute } from './routes.ts';

/** How a request ended, for metrics. */
export type RouterOutcome =
  | 'answered'
  | 'noRoute'
  | 'noEndpoint'
  | 'busy'
  | 'unreachable'
  | 'refused'
  | 'canceled';
export type MirrorOutcome = 'sent' | 'failed' | 'leftOut';

export interface ProxyObserver {
  request(event: { route?: Route; version?: number; outcome: RouterOutcome; seconds: number }): void;
  retry(event: { route: Route; version: number }): void;
  mirror(event: { route: Route; version: number; outcome: MirrorOutcome }): void;
}

/**
 * Why a request got no answer. `notSent`: nothing of it was taken. `tooLong`: the pod may be at work still. `broken`: the
 * connection ended before the answer began.
 */
export type Failure = 'notSent' | 'tooLong' | 'broken';

/** What a wire does with one request. */
export interface Wire<Message, Answer> {
  origins(version: VersionRoute): readonly string[];
  /** Resolves when the answer begins; calls `ended` once when its last byte is taken or it is given up. */
  ask(origin: string, message: Message, ended: () => void, signal: AbortSignal): Promise<Answer>;
  /** Takes an answer that nobody wants, to its end. */
  discard(answer: Answer): Promise<void>;
  failureOf(error: unknown): Failure;
  /** Whether sending it again changes nothing. */
  isPure(message: Message): boolean;
  bytesOf(message: Message): number;
}

export interface ForwardLimits extends PodLimits {
  /** Until the first byte of a pod's answer. */
  readonly answerMs: number;
  /** Copies under way at once; more are left out. */
  readonly maxMirrors: number;
}

export interface Forwarded<Answer> {
  readonly version: number;
  readonly answer: Answer | 'busy' | 'unreachable';
}

const ATTEMPTS = 3;

export class Forwarder<Message, Answer extends object> {
  readonly #wire: Wire<Message, Answer>;
  readonly #observer: ProxyObserver;
  readonly #limits: ForwardLimits;
  readonly #mirrored: ByteBudget;
  readonly #random: () => number;
  readonly #pods: Pods;
  #mirrors = 0;

  constructor(
    wire: Wire<Message, Answer>,
    observer: ProxyObserver,
    limits: ForwardLimits,
    mirrored: ByteBudget,
    random: () => number,
  ) {
    this.#wire = wire;
    this.#observer = observer;
    this.#limits = limits;
    this.#mirrored = mirrored;
    this.#random = random;
    this.#pods = new Pods(limits, random);
  }

  /**
   * @param failed told of the chosen version when stable is asked in its place: it counts against that version, but its
   * caller need not suffer for it
   */
  async forward(
    route: Route,
    chosen: VersionRoute,
    message: Message,
    failed: (outcome: 'busy' | 'unreachable') => void,
    signal: AbortSignal,
  ): Promise<Forwarded<Answer>> {
    this.#mirror(route, chosen.version, message);
    const answer = await this.#send(route, chosen, message, signal);
    const stable = route.versions.find(({ version }) => version === route.stable);
    if (typeof answer !== 'string' || stable === undefined || stable === chosen)
      return { version: chosen.version, answer };
    failed(answer);
    return { version: stable.version, answer: await this.#send(route, stable, message, signal) };
  }

  /** Tries the pods of a version in turn. `busy`: each of them has as many requests as it may. */
  async #send(
    route: Route,
    chosen: VersionRoute,
    message: Message,
    signal: AbortSignal,
  ): Promise<Answer | 'busy' | 'unreachable'> {
    const origins = this.#wire.origins(chosen);
    const left = this.#pods.order(chosen, origins);
    if (left.length === 0 && origins.length > 0) return 'busy';
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const origin = left.shift();
      if (origin === undefined) break;
      if (attempt > 1) this.#observer.retry({ route, version: chosen.version });
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next pod is tried only when this one is gone
        return await this.#ask(origin, message, signal);
      } catch (error) {
        signal.throwIfAborted();
        const failure = this.#wire.failureOf(error);
        if (failure === 'notSent') this.#pods.avoid(origin);
        // A time-out is not tried again: another pod would be as slow.
        else if (failure === 'tooLong' || !this.#wire.isPure(message)) throw error;
        // It may only have closed a connection that was kept open, as the request went out.
        else left.push(origin);
      }
    }
    return 'unreachable';
  }

  /** One request to one pod, which counts there until the last byte of its answer. */
  async #ask(origin: string, message: Message, signal: AbortSignal): Promise<Answer> {
    this.#pods.begin(origin);
    let under = true;
    const end = (): void => {
      if (under) this.#pods.end(origin);
      under = false;
    };
    try {
      return await this.#wire.ask(origin, message, end, signal);
    } catch (error) {
      end();
      throw error;
    }
  }

  #mirror(route: Route, answering: number, message: Message): void {
    const bytes = this.#wire.bytesOf(message);
    for (const shadow of chooseMirrors(route, answering, this.#random)) {
      const tell = (outcome: MirrorOutcome): void =>
        this.#observer.mirror({ route, version: shadow.version, outcome });
      const [origin] = this.#pods.order(shadow, this.#wire.origins(shadow));
      if (origin === undefined || this.#mirrors >= this.#limits.maxMirrors || !this.#mirrored.take(bytes)) {
        tell('leftOut');
        continue;
      }
      this.#mirrors++;
      this.#ask(origin, message, AbortSignal.timeout(this.#limits.answerMs))
        // All of it, or the shadow would see its caller hang up.
        .then((answer) => this.#wire.discard(answer))
        .then(
          () => tell('sent'),
          () => tell('failed'),
        )
        .finally(() => {
          this.#mirrors--;
          this.#mirrored.give(bytes);
        });
    }
  }
}
