/** The product's mark: two open rings around a point, like a lookout's field of view. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" strokeLinecap="round" aria-hidden="true">
      <path d="M16 3.5a12.5 12.5 0 1 1-10.8 6.2" stroke="var(--ow-accent-text)" strokeWidth="3" />
      <path d="M16 9.5a6.5 6.5 0 1 1-6.2 4.6" stroke="var(--ow-accent-text)" strokeWidth="2.4" opacity=".55" />
      <circle cx="16" cy="16" r="2.6" fill="var(--ow-accent-text)" />
    </svg>
  );
}
