// Cuts text that others wrote, for logs, answers and the database. JSON and PostgreSQL do not take half a character.

/** @returns the start of a text, without the half of a character at its end. @param maxLength in UTF-16 units. */
export function cutText(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength)
    .replace(/[\uD800-\uDBFF]$/, "")
    .toWellFormed();
}
