import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

/** Ten shades of the one accent colour; tokens.css holds the two that are used for text and fills. */
const accent: MantineColorsTuple = [
  '#eef1fd',
  '#dce2f9',
  '#b7c3f2',
  '#93a9ff',
  '#7089ef',
  '#4a66dd',
  '#3450c8',
  '#2e47b8',
  '#253a99',
  '#1b2a70',
];

/** Filled buttons that destroy something: white on the sixth and seventh shade has a contrast above 4.5 to 1. */
const red: MantineColorsTuple = [
  '#fbe9e7',
  '#f6cfcb',
  '#eda7a1',
  '#e58279',
  '#dd6157',
  '#c9362d',
  '#b3261e',
  '#98201a',
  '#7d1a15',
  '#611410',
];

/** Mantine paints dark controls from this scale; it follows the dark half of tokens.css. */
const dark: MantineColorsTuple = [
  '#eceef2',
  '#bcc1ca',
  '#949aa5',
  '#6b717d',
  '#3b404a',
  '#262a31',
  '#1c1f25',
  '#16181d',
  '#0f1114',
  '#0b0c0f',
];

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 5 },
  colors: { accent, dark, red },
  fontFamily: 'var(--ow-font)',
  fontFamilyMonospace: 'var(--ow-mono)',
  defaultRadius: 'sm',
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '10px', xl: '16px' },
  fontSizes: { xs: '12px', sm: '13px', md: '13px', lg: '15px', xl: '18px' },
  respectReducedMotion: true,
  cursorType: 'pointer',
  components: {
    Button: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    TextInput: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm', allowDeselect: false } },
    Tooltip: { defaultProps: { openDelay: 250, events: { hover: true, focus: true, touch: true } } },
    // The focus starts at the first item; a menu may hold nothing else that takes it.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } } },
    Drawer: { defaultProps: { position: 'right', overlayProps: { backgroundOpacity: 0.3 } } },
  },
});

const shared = {
  '--mantine-color-body': 'var(--ow-surface)',
  '--mantine-color-text': 'var(--ow-text)',
  '--mantine-color-dimmed': 'var(--ow-text-faint)',
  '--mantine-color-placeholder': 'var(--ow-text-faint)',
  '--mantine-color-anchor': 'var(--ow-accent-text)',
  '--mantine-color-error': 'var(--ow-fail)',
  '--mantine-color-default': 'var(--ow-surface)',
  '--mantine-color-default-hover': 'var(--ow-hover)',
  '--mantine-color-default-border': 'var(--ow-line-strong)',
  '--mantine-color-default-color': 'var(--ow-text)',
  '--mantine-color-disabled': 'var(--ow-sunken)',
  '--mantine-color-disabled-color': 'var(--ow-text-faint)',
};

/** Mantine's own variables, pointed at our tokens so that both follow one switch. */
export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  light: shared,
  dark: shared,
});
