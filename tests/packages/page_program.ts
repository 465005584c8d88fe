/** What the tests' pages load: everything of `./browser`, and the program that runs on Deno, too. */
export * from "../../browser/mod.ts";
export { twentySteps } from "./training_program.ts";
