//! A person's files as the portal tells them.

/** As a question keeps it. */
export type FileRef = { id: string; name: string; media_type: string; bytes: number };
/** `received`: how much has arrived; `media_type` is empty until it is complete. */
export type Uploaded = FileRef & { received: number; complete: boolean; created_at: number };
export type FileList = { items: Uploaded[]; used: number; per_person: number; largest: number };
/** `more`: there is more than is shown. */
export type FileText = { pages: { page: number | null; text: string }[]; more: boolean };
/** The end of a file that did not fit the context of an answer. */
export type LeftOut = { name: string; tokens: number; page?: number | null };

export const isPicture = (file: { media_type: string }) => /^image\/(png|jpeg|gif|webp)$/.test(file.media_type);
export const contentOf = (id: string) => `/api/files/${id}/content`;
