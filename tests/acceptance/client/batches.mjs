// tasks.batchTrigger, batch.*
import { batch, idempotencyKeys, tasks } from "@trigger.dev/sdk";

export const triggerTask = (task, items, options) => tasks.batchTrigger(task, items, options);
export const trigger = (items, options) => batch.trigger(items, options);
export const triggerByTask = (items, options) =>
  batch.triggerByTask(items.map(({ id, ...others }) => ({ task: { id }, ...others })), options);
export const keyed = async (items, key) =>
  batch.trigger(items, { idempotencyKey: await idempotencyKeys.create(key) });
export const retrieve = (id) => batch.retrieve(id);

export async function many(task, count) {
  const items = Array.from({ length: count }, (_, n) => ({ payload: { n } }));
  return tasks.batchTrigger(task, items);
}

async function* made(task, count) {
  for (let n = 0; n < count; n++) yield { id: task, payload: { n } };
}
export const streamed = (task, count) => batch.trigger(made(task, count));
