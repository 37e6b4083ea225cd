// schedules.*
import { schedules } from "@trigger.dev/sdk";

export const create = (options) => schedules.create(options);
export const retrieve = (id) => schedules.retrieve(id);
export const update = (id, options) => schedules.update(id, options);
export const activate = (id) => schedules.activate(id);
export const deactivate = (id) => schedules.deactivate(id);
export const del = (id) => schedules.del(id);
export const list = (options) => schedules.list(options);
export const timezones = (options) => schedules.timezones(options);
