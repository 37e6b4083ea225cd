// auth.*, and what others do with the tokens it makes.
import { auth, TriggerClient } from "@trigger.dev/sdk";

export const token = (options) => auth.createPublicToken(options);
export const triggerToken = (task, options) => auth.createTriggerPublicToken(task, options);
export const batchToken = (task, options) => auth.createBatchTriggerPublicToken(task, options);

// As somebody with this token: using("eyJ…", "runs.retrieve", "run_…").
export function using(accessToken, call, ...args) {
  const [module, name] = call.split(".");
  const baseURL = process.env.TRIGGER_API_URL;
  return new TriggerClient({ baseURL, accessToken })[module][name](...args);
}
