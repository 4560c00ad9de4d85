//! Small things kept in this browser. A full or forbidden storage is never an error a person sees.

export function keep(name: string, value: string | null) {
  try {
    if (value === null || value === "") localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Nothing to do: what is kept here is a convenience.
  }
}

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
