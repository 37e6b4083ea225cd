// queues.*
import { queues } from "@trigger.dev/sdk";

export const list = (options) => queues.list(options);
export const retrieve = (queue) => queues.retrieve(queue);
export const pause = (queue) => queues.pause(queue);
export const resume = (queue) => queues.resume(queue);
export const override = (queue, limit) => queues.overrideConcurrencyLimit(queue, limit);
export const reset = (queue) => queues.resetConcurrencyLimit(queue);
