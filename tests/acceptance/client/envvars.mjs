// envvars.*; `envvars.update` of this version throws before it asks, so its core client does.
import { apiClientManager } from "@trigger.dev/core/v3";
import { envvars } from "@trigger.dev/sdk";

export const list = (project, slug) => envvars.list(project, slug);
export const create = (project, slug, variable) => envvars.create(project, slug, variable);
export const upload = (project, slug, variables) => envvars.upload(project, slug, variables);
export const retrieve = (project, slug, name) => envvars.retrieve(project, slug, name);
export const del = (project, slug, name) => envvars.del(project, slug, name);
export const update = (project, slug, name, variable) =>
  apiClientManager.clientOrThrow().updateEnvVar(project, slug, name, variable);
