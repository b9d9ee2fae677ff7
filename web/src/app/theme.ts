/** Colours and shapes of the app. */
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

/** Baize green: what auction tables are covered with. */
const baize: MantineColorsTuple = [
  '#e8f7f2',
  '#d5eae3',
  '#a9d5c6',
  '#7bbfa8',
  '#54ac8e',
  '#3ba07e',
  '#278064',
  '#1f6f5c',
  '#175a4a',
  '#0e4538',
]

export const theme = createTheme({
  primaryColor: 'baize',
  primaryShade: { light: 7, dark: 6 },
  colors: { baize },
  defaultRadius: 'md',
  autoContrast: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
  respectReducedMotion: true,
})

/** What is chosen stands out from what is around it: in the dark that is lighter, not darker. */
export const darkSelection: CSSVariablesResolver = () => ({
  variables: {},
  light: {},
  dark: {
    '--mantine-color-baize-light': '#2b4d42',
    '--mantine-color-baize-light-hover': '#33594d',
    '--mantine-color-baize-light-color': baize[1],
  },
})
