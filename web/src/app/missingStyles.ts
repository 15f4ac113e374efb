/**
 * The styles of a page that cannot be fetched are no reason not to show it. Without this one request
 * that is cut leaves an empty page; a script that is missing is still told.
 */
export function showPagesWithoutTheirStyles(): void {
  window.addEventListener('vite:preloadError', (event) => {
    if (event.payload.message.startsWith('Unable to preload CSS')) event.preventDefault();
  });
}
