import { useDocumentTitle } from '@mantine/hooks';

import { ButtonLink } from '@/components/ButtonLink';
import { EmptyState } from '@/components/States';

export function NotFoundPage() {
  useDocumentTitle('Not found · OpenWatch');
  return (
    <EmptyState
      icon="search"
      level={1}
      title="There is no page at this address"
      actions={
        <ButtonLink to="/hosts">
          Go to hosts
        </ButtonLink>
      }
    >
      <p>It may have been mistyped, or what it showed has been deleted.</p>
    </EmptyState>
  );
}
