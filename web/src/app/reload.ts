const RELOADED_AT = 'openwatch.reloaded-at';
const AGAIN_AFTER_MS = 10_000;

/**
 * A part of the app that cannot be fetched, after an upgrade or a cut connection, leaves a page that
 * never comes. Reading everything anew mends both; doing it once keeps a broken server from a loop.
 */
export function reloadWhenPartsAreMissing(reload: () => void = () => window.location.reload()): void {
  window.addEventListener('vite:preloadError', (event) => {
    const last = Number(window.sessionStorage.getItem(RELOADED_AT) ?? 0);
    if (Date.now() - last < AGAIN_AFTER_MS) return;
    event.preventDefault();
    window.sessionStorage.setItem(RELOADED_AT, String(Date.now()));
    reload();
  });
}
