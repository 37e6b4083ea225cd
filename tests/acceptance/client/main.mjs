// Calls the reference's client for the tests. Each line on stdin asks for one call,
//   {"id": 1, "call": "runs.retrieve", "args": ["run_..."]}
// a function that runs.mjs beside this file exports, and each line on stdout answers one:
//   {"id": 1, "value": ...} or {"id": 1, "error": {"name", "message", "status", "code"}}
// Calls run at the same time; answers come as they end.
import { createInterface } from "node:readline";

// What libraries print is not for the tests.
for (const word of ["log", "info", "debug"]) console[word] = console.error;

const plain = (_, value) => (typeof value === "bigint" ? `${value}n` : value);

async function answer({ id, call, args }) {
  try {
    const [subject, name] = call.split(".");
    const functions = await import(`./${subject}.mjs`);
    return { id, value: (await functions[name](...args)) ?? null };
  } catch (error) {
    const { name, message, status, code } = error;
    return { id, error: { name, kind: error.constructor.name, message, status, code } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  answer(JSON.parse(line)).then((told) => process.stdout.write(`${JSON.stringify(told, plain)}\n`));
}
