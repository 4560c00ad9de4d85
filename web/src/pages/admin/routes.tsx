//! The addresses of the administration.

export const adminPages = [] as const;
