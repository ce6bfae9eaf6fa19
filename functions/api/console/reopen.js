// Opens the page again where a file of it did not come. A server that is busy refuses some, and a page that lacks one does nothing at
// all. What did come the browser has kept, so that each time fewer are asked for.
{
  const KEY = "framepost-reopened";
  const LONGEST_S = 30;
  let waits = false;
  addEventListener("error", ({ target }) => {
    // A module that is named ahead is missed by whoever imports it.
    const isNeeded = target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet");
    if (!isNeeded || waits) return;
    waits = true;
    let times = 0;
    try {
      times = Number(sessionStorage.getItem(KEY));
      sessionStorage.setItem(KEY, String(times + 1));
    } catch {
      // Storage is not allowed here: each time is the first one.
    }
    // All those whom a server refuses do not come back at one time.
    const seconds = Math.min(LONGEST_S, 2 ** times) * (0.5 + Math.random());
    setTimeout(() => location.reload(), seconds * 1000);
    document.getElementById("notice")?.replaceChildren("A part of the page did not arrive. The page is opened again by itself.");
  }, true);
}
