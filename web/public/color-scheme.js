// Runs before the first paint so that the chosen scheme never flashes. Kept as a file because the
// Content Security Policy allows no inline script.
(function () {
  var chosen = null;
  try {
    chosen = window.localStorage.getItem('openwatch-color-scheme');
  } catch {
    // Storage can be blocked; the system's preference is used then.
  }
  var dark =
    chosen === 'dark' ||
    (chosen !== 'light' && window.matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
