/** A failure the user can act on. It is shown as its message alone, never with a stack. */
export class Failure extends Error {}

/** Runs a program's `main` and turns a `Failure` into one message and exit code 1. */
export async function runProgram(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  }
}
