//! Key combinations: how they are written on this machine and whether an event is one.

export const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** "mod+shift+o": `mod` is ⌘ on a Mac and Ctrl elsewhere. */
export function shown(combination: string): string {
  const parts = combination.split("+").map((part) => {
    if (part === "mod") return onMac ? "⌘" : "Ctrl";
    if (part === "shift") return onMac ? "⇧" : "Shift";
    if (part === "enter") return onMac ? "↩" : "Enter";
    if (part === "esc") return "Esc";
    return part.toUpperCase();
  });
  return parts.join(onMac ? "" : "+");
}

export function matches(event: KeyboardEvent, combination: string): boolean {
  const parts = combination.split("+");
  const key = parts.at(-1);
  const mod = onMac ? event.metaKey : event.ctrlKey;
  return mod === parts.includes("mod") && event.shiftKey === parts.includes("shift") && !event.altKey && nameOf(event) === key;
}

function nameOf(event: KeyboardEvent): string {
  if (event.key === "Escape") return "esc";
  if (event.key === "Enter") return "enter";
  return event.key.toLowerCase();
}
