// tasks.trigger, runs.*, idempotencyKeys.*
import { idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { apiClientManager } from "@trigger.dev/core/v3";

export const trigger = (task, payload, options) => tasks.trigger(task, payload, options);
export const retrieve = (id) => runs.retrieve(id);
