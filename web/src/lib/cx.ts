//! Joins class names. Deliberately without conflict resolution: a component's variants do not overlap.

export function cx(...parts: (string | false | null | undefined)[]): string {
  return parts.filter(Boolean).join(" ");
}
