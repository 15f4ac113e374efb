import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { Mark } from '@/components/Mark';
import classes from './Auth.module.css';

interface Props {
  title: string;
  intro: ReactNode;
  children: ReactNode;
}

/** The frame of what is shown before a session exists. */
export function AuthScreen({ title, intro, children }: Props) {
  useDocumentTitle(`${title} · OpenWatch`);
  return (
    <main className={classes.screen}>
      <div className={classes.panel}>
        <div className={classes.brand}>
          <Mark size={26} />
          OpenWatch
        </div>
        <div className={classes.card}>
          <div className={classes.intro}>
            <h1>{title}</h1>
            {intro}
          </div>
          {children}
        </div>
      </div>
    </main>
  );
}
