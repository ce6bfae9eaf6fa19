// What somebody chose, as far as the browser keeps it. One that keeps nothing forgets it with the page.

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`framepost-${name}`);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string} value */
export function keep(name, value) {
  try {
    localStorage.setItem(`framepost-${name}`, value);
  } catch {
    // It holds until the page is closed.
  }
}
