//! The mark: a small portico. Follows the text colour.

export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="currentColor" />
      <path className="fill-background" d="M16 6.2 25.6 11v2.2H6.4V11zM8.4 15h2.8v7.6H8.4zm6.2 0h2.8v7.6h-2.8zm6.2 0h2.8v7.6h-2.8zM6.4 24h19.2v2.2H6.4z" />
    </svg>
  );
}
