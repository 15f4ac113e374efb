import { Modal } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { Palette } from './Palette';
import { usePaletteItems } from './paletteItems';
import type { Destination } from './navigation';

interface Props {
  opened: boolean;
  onChange: (opened: boolean) => void;
  destinations: readonly Destination[];
  onHelp: () => void;
}

/** Ctrl-K, also from within a field: every page, every host, every action that the signed-in person may do. */
export function CommandPalette({ opened, onChange, destinations, onHelp }: Props) {
  useHotkeys([['mod+K', () => onChange(!opened)]], [], true);
  const close = () => onChange(false);
  return (
    <Modal.Root opened={opened} onClose={close} size={560} yOffset="12dvh" centered={false}>
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content aria-label="Search or jump to">
        <Modal.Body p={0}>
          <Content destinations={destinations} onHelp={onHelp} onDone={close} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

/** Lives only while the palette is open, so that each opening starts empty. */
function Content(props: { destinations: readonly Destination[]; onHelp: () => void; onDone: () => void }) {
  const { destinations, onHelp, onDone } = props;
  const { typed, setTyped, groups, searching } = usePaletteItems(destinations, onHelp);
  return <Palette typed={typed} onType={setTyped} groups={groups} searching={searching} onDone={onDone} />;
}
