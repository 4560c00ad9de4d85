//! Client-made ids. `crypto.randomUUID` needs a secure context; `getRandomValues` does not.

/** 128 random bits as 32 hex characters: an `ask_id`, by which a repeated question is recognised. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
