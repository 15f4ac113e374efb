import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { ApiError } from '@/api/problem';
import { ErrorState } from '@/components/States';

/** A page that failed as a whole: the server is away before the first answer, or the page itself broke. */
export function RouteErrorPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const queries = useQueryErrorResetBoundary();
  const retry = () => {
    // What failed is the page itself: its code stays as it was read.
    if (!(error instanceof ApiError)) {
      window.location.reload();
      return;
    }
    queries.reset();
    reset();
    void router.invalidate();
  };
  return (
    <main>
      <ErrorState level={1} error={error} what="OpenWatch cannot show this page" onRetry={retry} />
    </main>
  );
}
