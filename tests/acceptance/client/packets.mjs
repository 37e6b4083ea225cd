// Payloads of 128 KiB and more, which the client uploads before it triggers.
import { batch, runs, tasks } from "@trigger.dev/sdk";
import { apiClientManager } from "@trigger.dev/core/v3";

export const large = (task, length) => tasks.trigger(task, { big: "x".repeat(length) });
export const largeText = (task, length) => tasks.trigger(task, "é".repeat(length / 2));
export const largeBatch = (task, length) =>
  batch.trigger([{ id: task, payload: { big: "x".repeat(length) } }, { id: task, payload: 2 }]);

// How long the values are as the client hands them over: it follows the addresses by itself.
export async function sizes(id) {
  const run = await runs.retrieve(id);
  const length = (value) => JSON.stringify(value)?.length ?? null;
  return {
    payload: length(run.payload),
    output: length(run.output),
    linked: [typeof run.payloadPresignedUrl, typeof run.outputPresignedUrl],
  };
}

export async function download(id, field) {
  const { presignedUrl } = await apiClientManager.clientOrThrow().getRunPacketUrl(id, field, "");
  const answer = await fetch(presignedUrl);
  return { status: answer.status, kind: answer.headers.get("content-type"), text: await answer.text() };
}
