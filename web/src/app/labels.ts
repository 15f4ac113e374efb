/** "file_permissions" reads "File permissions" until the server's own label is here. */
export function readableName(name: string): string {
  const words = name.replaceAll(/[_-]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
