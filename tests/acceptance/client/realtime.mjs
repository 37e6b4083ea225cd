// runs.subscribeTo*, streams.*, and writers that only the client's own core reaches from outside a task.
import { auth, runs, streams } from "@trigger.dev/sdk";
import { apiClientManager } from "@trigger.dev/core/v3";
import { StreamsWriterV1 } from "./node_modules/@trigger.dev/core/dist/esm/v3/realtimeStreams/streamsWriterV1.js";

const seen = ({ id, status, output, metadata, tags, finishedAt, error }) =>
  ({ id, status, output, metadata, tags, isOver: Boolean(finishedAt), error });

// What a test waits for, to change something while it is followed.
const counts = {};
export const received = (name) => counts[name] ?? 0;

async function taken(subscription, count = Infinity, name = "") {
  const found = [];
  for await (const run of subscription) {
    counts[name] = found.push(seen(run));
    if (found.length >= count) break;
  }
  return found;
}

export const run = (id, options) => taken(runs.subscribeToRun(id, options), Infinity, id);
export const tag = (tags, count, options) =>
  taken(runs.subscribeToRunsWithTag(tags, options), count, tags[0]);
export const batch = (id, count) => taken(runs.subscribeToBatch(id), count);

export async function runByToken(id, scopes, claims = {}) {
  const token = await auth.createPublicToken({ scopes, ...claims });
  return auth.withAuth({ accessToken: token }, () => run(id));
}

// After the end of its run it goes on for half a minute.
export async function withStreams(id, last) {
  const found = [];
  for await (const part of runs.subscribeToRun(id).withStreams()) {
    if (part.type === "run") continue;
    found.push([part.type, part.chunk]);
    if (part.chunk === last) break;
  }
  return found;
}

export async function read(id, key, options) {
  const found = [];
  for await (const chunk of await streams.read(id, key, options)) found.push(chunk);
  return found;
}

export const send = (input, id, data) => streams.input({ id: input }).send(id, data);

export const append = (id, key, text) =>
  apiClientManager.clientOrThrow().appendToStream(id, "self", key, text);

export const create = (id, key) => apiClientManager.clientOrThrow().createStream(id, "self", key);

export async function write(id, key, chunks) {
  const { baseUrl, accessToken } = apiClientManager.clientOrThrow();
  const source = new ReadableStream({
    async start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(chunk);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      controller.close();
    },
  });
  const headers = { authorization: `Bearer ${accessToken}` };
  await new StreamsWriterV1({ baseUrl, runId: id, target: "self", key, source, headers }).wait();
}
