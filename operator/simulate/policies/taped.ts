/**
 * A policy that decides once and is replayed after: for one whose orders depend on the load and on its own orders alone,
 * never on what is ready. HPA on a total that is shared among replicas is such a one, so its sweep over start-up times
 * costs one run of decisions instead of one each.
 */
import { ForesailError } from '../../errors.ts';
import type { Order, Policy } from '../simulate.ts';

/** @param policy of one trace, capacity and metric delay; the first run must be no shorter than the others. */
export function taped(policy: Policy): Policy {
  let orders: number[] | undefined;
  return {
    name: policy.name,
    begin(trace, conditions): Order {
      if (orders !== undefined) return replay(orders, policy.name);
      const tape: number[] = [];
      orders = tape;
      const order = policy.begin(trace, conditions);
      return (moment) => {
        const replicas = order(moment);
        tape.push(replicas);
        return replicas;
      };
    },
  };
}

function replay(orders: readonly number[], name: string): Order {
  let i = 0;
  return () => {
    const replicas = orders[i++];
    if (replicas !== undefined) return replicas;
    throw new ForesailError('TAPE_ENDED', 'terminal', `${name} decided ${orders.length} times, no more`);
  };
}
