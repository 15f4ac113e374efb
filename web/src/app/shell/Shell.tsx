import { ActionIcon } from '@mantine/core';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { EventsProvider } from '@/api/events/EventsProvider';
import { useSession } from '../session';
import { listen } from '../shortcuts/registry';
import { useShortcut } from '../shortcuts/useShortcut';
import { Icon } from '@/components/Icon';
import { Mark } from '@/components/Mark';
import { CommandPalette } from './CommandPalette';
import { ConnectionIndicator } from './ConnectionIndicator';
import { DESTINATIONS, type Destination } from './navigation';
import classes from './Shell.module.css';
import { ShortcutsDialog } from './ShortcutsDialog';
import { UserMenu } from './UserMenu';

const MAC = /mac|iphone|ipad/i.test(navigator.userAgent);

/** What stands around every page: navigation, the way to everything, whether the numbers are live. */
export function Shell() {
  const session = useSession();
  const [helpOpened, setHelpOpened] = useState(false);
  const [paletteOpened, setPaletteOpened] = useState(false);
  const openPalette = () => setPaletteOpened(true);
  const visible = DESTINATIONS.filter((entry) => session?.permissions.includes(entry.permission));
  useEffect(() => listen(window), []);
  useShortcut('?', () => setHelpOpened((opened) => !opened), {
    label: 'Show shortcuts',
    group: 'Everywhere',
    inDialogs: true,
  });
  return (
    <EventsProvider>
      <a className={classes.skip} href="#main">
        Skip to content
      </a>
      <div className={classes.shell}>
        <Rail destinations={visible} onJump={openPalette} onHelp={() => setHelpOpened(true)} />
        <div role="region" aria-label="Top bar" className={classes.top}>
          <Brand />
          <div className={classes.topTools}>
            <ConnectionIndicator compact />
            <ActionIcon size="lg" aria-label="Search or jump to" onClick={openPalette}>
              <Icon name="search" />
            </ActionIcon>
            <UserMenu onHelp={() => setHelpOpened(true)} />
          </div>
        </div>
        <Main />
        <nav className={classes.tabs} aria-label="Main">
          <Destinations destinations={visible} />
        </nav>
      </div>
      {visible.map((entry) => (
        <GoTo key={entry.to} destination={entry} />
      ))}
      <CommandPalette
        opened={paletteOpened}
        onChange={setPaletteOpened}
        destinations={visible}
        onHelp={() => setHelpOpened(true)}
      />
      <ShortcutsDialog opened={helpOpened} onClose={() => setHelpOpened(false)} />
    </EventsProvider>
  );
}

/** After a change of page the keyboard and the screen reader start at its content. */
function Main() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    const first = shown.current === undefined;
    shown.current = path;
    if (!first) main.current?.focus({ preventScroll: true });
  }, [path]);
  return (
    <main id="main" ref={main} className={classes.main} tabIndex={-1}>
      <Outlet />
    </main>
  );
}

interface RailProps {
  destinations: readonly Destination[];
  onJump: () => void;
  onHelp: () => void;
}

function Rail({ destinations, onJump, onHelp }: RailProps) {
  return (
    <aside className={classes.rail} aria-label="Navigation">
      <Brand />
      <button type="button" className={classes.jump} onClick={onJump}>
        <Icon name="search" size={14} />
        <span>Search or jump</span>
        <kbd>{MAC ? '⌘K' : 'Ctrl K'}</kbd>
      </button>
      <nav className={classes.nav} aria-label="Main">
        <Destinations destinations={destinations} />
      </nav>
      <div className={classes.foot}>
        <ConnectionIndicator />
        <UserMenu onHelp={onHelp} />
      </div>
    </aside>
  );
}

function Brand() {
  return (
    <Link to="/hosts" className={classes.brand}>
      <Mark />
      OpenWatch
    </Link>
  );
}

function Destinations({ destinations }: { destinations: readonly Destination[] }) {
  return destinations.map((entry) => (
    <Link key={entry.to} to={entry.to} className={classes.link}>
      <Icon name={entry.icon} />
      {entry.label}
    </Link>
  ));
}

function GoTo({ destination }: { destination: Destination }) {
  const navigate = useNavigate();
  useShortcut(destination.keys, () => void navigate({ to: destination.to }), {
    label: destination.label,
    group: 'Go to',
  });
  return null;
}
