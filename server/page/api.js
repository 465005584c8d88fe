/** Asks the server, with the token where it wants one. */

const KEY = "token";

/** A refusal: `message` is the server's sentence, `status` its code (0: it could not be reached). */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Keeps the token for this tab. */
export function rememberToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** The JSON that a route answers; throws a `Refusal`. `accept` lists statuses that are answers, too. */
export async function ask(path, { accept = [], ...options } = {}) {
  const response = await send(path, options);
  const body = await response.json().catch(() => ({}));
  if (response.ok || accept.includes(response.status)) return body;
  throw refusalOf(response, body);
}

/** The bytes that a route answers; throws a `Refusal`. */
export async function askForBytes(path) {
  const response = await send(path, {});
  if (response.ok) return await response.arrayBuffer();
  throw refusalOf(response, await response.json().catch(() => ({})));
}

async function send(path, options) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(KEY);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The server cannot be reached.");
  }
}

function refusalOf({ status }, { error }) {
  return new Refusal(status, error ?? `The server answered with status ${status}.`);
}
