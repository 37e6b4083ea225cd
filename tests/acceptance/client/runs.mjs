// tasks.trigger, runs.*, idempotencyKeys.*, and what only the client's own core reaches from outside a task.
import { idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { apiClientManager } from "@trigger.dev/core/v3";

export const trigger = (task, payload, options) => tasks.trigger(task, payload, options);

// Values JSON has no words for.
export const triggerRich = (task) =>
  tasks.trigger(task, {
    when: new Date("2026-01-02T03:04:05Z"),
    much: 12345678901234567890n,
    set: new Set([1, 2]),
    none: undefined,
  });
export const triggerNothing = (task) => tasks.trigger(task);

export const retrieve = (id) => runs.retrieve(id);
export const poll = (id) => runs.poll(id, { pollIntervalMs: 100 });
export const cancel = (id) => runs.cancel(id);
export const replay = (id, changes) => runs.replay(id, changes);
export const reschedule = (id, delay) => runs.reschedule(id, { delay });

export async function list(query) {
  const page = await runs.list(query);
  return { ids: page.data.map((run) => run.id), next: page.hasNextPage(), data: page.data };
}

export const listOfProject = async (query) =>
  (await runs.list("proj_any", query)).data.map((run) => run.id);

// Every id, page by page, as `for await` reads them.
export async function listAll(query) {
  const ids = [];
  for await (const run of runs.list(query)) ids.push(run.id);
  return ids;
}

const core = () => apiClientManager.clientOrThrow();
export const addTags = (id, tags) => core().addTags(id, { tags });
export const updateMetadata = (id, changes) => core().updateRunMetadata(id, changes);
export const metadata = (id) => core().getRunMetadata(id);
export const result = (id) => core().getRunResult(id);

export const keyed = async (task, payload, key, options) => {
  const idempotencyKey = await idempotencyKeys.create(key);
  return tasks.trigger(task, payload, { ...options, idempotencyKey });
};
export const resetKey = async (task, key) =>
  idempotencyKeys.reset(task, await idempotencyKeys.create(key));
export const resetText = (task, key) => idempotencyKeys.reset(task, key, { scope: "global" });
