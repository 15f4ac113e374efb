import { ActionIcon, Button, CopyButton as MantineCopy, Tooltip } from '@mantine/core';
import { Icon } from './Icon';

interface Props {
  value: string;
  /** What is copied, for the button's name: "Copy raw bytes". */
  label: string;
  withText?: boolean;
}

export function CopyButton({ value, label, withText = false }: Props) {
  return (
    <MantineCopy value={value} timeout={1500}>
      {({ copied, copy }) => {
        const text = copied ? 'Copied' : label;
        const icon = <Icon name={copied ? 'check' : 'copy'} size={14} />;
        if (withText) {
          return (
            <Button variant="default" leftSection={icon} onClick={copy}>
              {text}
            </Button>
          );
        }
        return (
          <Tooltip label={text}>
            <ActionIcon size="sm" onClick={copy} aria-label={text}>
              {icon}
            </ActionIcon>
          </Tooltip>
        );
      }}
    </MantineCopy>
  );
}
