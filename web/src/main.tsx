import '@mantine/core/styles.layer.css';
import '@mantine/notifications/styles.layer.css';
import './app/styles/fonts.css';
import './app/styles/tokens.css';
import './app/styles/global.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { createQueryClient } from './app/queryClient';
import { showPagesWithoutTheirStyles } from './app/missingStyles';
import { createAppRouter, readAllPages } from './app/router';

/** The first page comes first. */
const READ_PAGES_AFTER_MS = 2_000;

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element "root"');

showPagesWithoutTheirStyles();
const queryClient = createQueryClient();
const router = createAppRouter(queryClient);
window.setTimeout(() => readAllPages(router), READ_PAGES_AFTER_MS);

createRoot(root).render(
  <StrictMode>
    <App router={router} queryClient={queryClient} />
  </StrictMode>,
);
