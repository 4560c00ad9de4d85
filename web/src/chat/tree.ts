//! A conversation is a tree: editing a question and asking again make branches. Pure functions over messages; ids sort by time.
import type { Message } from "@/api/types";

export type Messages = ReadonlyMap<string, Message>;

/** Root to head, the one line that is on the screen. */
export function pathTo(messages: Messages, head: string | null): Message[] {
  const path: Message[] = [];
  const seen = new Set<string>();
  let at = head === null ? undefined : messages.get(head);
  while (at && !seen.has(at.id)) {
    seen.add(at.id);
    path.push(at);
    at = at.parent === null ? undefined : messages.get(at.parent);
  }
  return path.reverse();
}

export function childrenOf(messages: Messages, parent: string | null): Message[] {
  const children = [...messages.values()].filter((message) => message.parent === parent);
  return children.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The branches that stand in one place: `‹ 2/3 ›`. */
export function siblingsOf(messages: Messages, id: string): Message[] {
  const message = messages.get(id);
  return message ? childrenOf(messages, message.parent) : [];
}

/** The end of the newest line below a message (itself when nothing follows). */
export function newestLeaf(messages: Messages, from: string): string {
  let at = from;
  for (;;) {
    const next = childrenOf(messages, at).at(-1);
    if (!next) return at;
    at = next.id;
  }
}

export function newestOf(messages: Messages): string | null {
  let newest: string | null = null;
  for (const id of messages.keys()) if (newest === null || id > newest) newest = id;
  return newest;
}

/** A message and everything below it. */
export function subtree(messages: Messages, id: string): Set<string> {
  const found = new Set([id]);
  const queue = [id];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const child of childrenOf(messages, at)) {
      found.add(child.id);
      queue.push(child.id);
    }
  }
  return found;
}

/** Where to look after `id` and what is below it went away: the nearest branch beside it, else what stood above. */
export function headWithout(messages: Messages, id: string): string | null {
  const message = messages.get(id);
  if (!message) return newestOf(messages);
  const siblings = siblingsOf(messages, id);
  const at = siblings.findIndex((one) => one.id === id);
  const beside = siblings[at + 1] ?? siblings[at - 1];
  if (!beside) return message.parent;
  const gone = subtree(messages, id);
  return newestLeaf(new Map([...messages].filter(([key]) => !gone.has(key))), beside.id);
}
