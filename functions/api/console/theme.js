// Runs before the first paint, so that a theme that was chosen does not flash.
try {
  const theme = localStorage.getItem("framepost-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is not allowed here: the system decides.
}
