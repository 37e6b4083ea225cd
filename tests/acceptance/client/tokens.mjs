// wait.*Token*
import { wait } from "@trigger.dev/sdk";

export const create = (options) => wait.createToken(options);
export const complete = (id, data) => wait.completeToken(id, data);
export const retrieve = (id) => wait.retrieveToken(id);

// Every token of every page, and how many pages' worth of them was asked for at once.
export async function list(options) {
  const found = [];
  for await (const token of wait.listTokens(options)) found.push(token);
  return found;
}

// As another service calls a token back.
export async function callback(url, body) {
  const answer = await fetch(url, { method: "POST", body });
  return { status: answer.status, body: await answer.json() };
}
