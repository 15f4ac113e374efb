import { Skeleton } from '@mantine/core';
import classes from './Page.module.css';

/** The outline of a page about one thing while it is read. */
export function PageSkeleton() {
  return (
    <div className={classes.page} role="status" aria-label="Loading">
      <Skeleton height={14} width={80} />
      <Skeleton height={26} width={260} />
      <Skeleton height={150} radius="lg" />
      <Skeleton height={320} radius="lg" />
    </div>
  );
}
