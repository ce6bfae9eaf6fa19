// What runs before the first paint and before any module.

// A theme that was chosen does not flash.
try {
  const theme = localStorage.getItem("framepost-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is not allowed here: the system decides.
}

// The page is opened again where a file of it did not come. A server that is busy refuses some, and a page that lacks one does nothing
// at all. What did come the browser has kept, so that each time fewer are asked for.
{
  let waits = false;
  addEventListener("error", ({ target }) => {
    // A module that is named ahead is missed by whoever imports it.
    const isNeeded = target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet");
    if (!isNeeded || waits) return;
    waits = true;
    // All those whom a server refuses do not come back at one time.
    setTimeout(() => location.reload(), 2000 + 4000 * Math.random());
    document.getElementById("notice")?.replaceChildren("A part of the page did not arrive. It is opened again by itself.");
  }, true);
}
