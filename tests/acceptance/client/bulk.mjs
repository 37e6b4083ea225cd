// runs.bulk.*
import { runs } from "@trigger.dev/sdk";

export const cancel = (options) => runs.bulk.cancel(options);
export const replay = (options) => runs.bulk.replay(options);
export const cancelSince = (tag) =>
  runs.bulk.cancel({ filter: { tag, from: new Date(Date.now() - 3600_000), to: Date.now() + 60_000 } });
export const retrieve = (id) => runs.bulk.retrieve(id);
export const poll = (id) => runs.bulk.poll(id, { pollIntervalMs: 100 });
export const abort = (id) => runs.bulk.abort(id);

// Every id, page by page.
export async function list(query) {
  const ids = [];
  for await (const action of runs.bulk.list(query)) ids.push(action.id);
  return ids;
}
