//! Stand-ins for two packages that streamdown imports and this portal never reaches: every component is our own (no class names to merge),
//! and links are checked in link.tsx (no prefix rule). They would weigh 11 kB gzip.

export function twMerge(...names: string[]): string {
  return names.filter(Boolean).join(" ");
}

export function harden() {
  return () => undefined;
}
