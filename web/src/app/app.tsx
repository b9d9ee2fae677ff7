/** The frame of every page: navigation, who you are, light or dark. Pages are loaded when they are opened. */
import {
  ActionIcon,
  Anchor,
  AppShell,
  Box,
  Burger,
  Container,
  Group,
  Loader,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure, useDocumentTitle } from '@mantine/hooks'
import { IconMoon, IconSun } from '@tabler/icons-react'
import { lazy, type ReactNode, Suspense } from 'react'
import { Link, Route, Switch, useLocation } from 'wouter'
import { MAIN_ID } from './arrive.ts'
import { BrowsePage } from '../browse/browse-page.tsx'
import { PageBoundary } from './page-boundary.tsx'
import { EmptyState } from '../ui/states.tsx'
import { SignInBanner } from './sign-in-banner.tsx'
import { UserMenu } from './user-menu.tsx'
import { type Role, useUser } from './user.tsx'

const ItemPage = lazy(async () => ({ default: (await import('../item/item-page.tsx')).ItemPage }))
const SellPage = lazy(async () => ({ default: (await import('../sell/sell-page.tsx')).SellPage }))
const MyPage = lazy(async () => ({ default: (await import('../my/my-page.tsx')).MyPage }))
const MarketPage = lazy(async () => ({
  default: (await import('../market/market-page.tsx')).MarketPage,
}))

type Place = { href: string; label: string; role?: Role }

const places: readonly Place[] = [
  { href: '/', label: 'Browse' },
  { href: '/sell', label: 'Sell', role: 'seller' },
  { href: '/my', label: 'My bids', role: 'bidder' },
  { href: '/market', label: 'Market' },
]

export function App() {
  const [opened, menu] = useDisclosure(false)
  const [path] = useLocation()
  return (
    <AppShell
      header={{ height: 60 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { desktop: true, mobile: !opened } }}
      padding="md"
    >
      <Anchor href={`#${MAIN_ID}`} className="skip-link">
        Skip to content
      </Anchor>
      <AppShell.Header>
        <Header menuOpened={opened} toggleMenu={menu.toggle} />
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Menu">
        {/* Closed, it is out of sight, and must be out of the keyboard's way as well. */}
        {opened && <Places onGo={menu.close} />}
      </AppShell.Navbar>
      <AppShell.Main id={MAIN_ID} tabIndex={-1} style={{ outline: 'none' }}>
        <Container size="lg" px={0}>
          <SignInBanner />
          <PageBoundary key={path}>
            <Suspense fallback={<Loader role="status" aria-label="Loading the page" />}>
              <Pages />
            </Suspense>
          </PageBoundary>
        </Container>
      </AppShell.Main>
    </AppShell>
  )
}

function Header({ menuOpened, toggleMenu }: { menuOpened: boolean; toggleMenu: () => void }) {
  return (
    <Column>
      <Group gap="xs" wrap="nowrap">
        <Burger
          opened={menuOpened}
          onClick={toggleMenu}
          hiddenFrom="sm"
          size="sm"
          aria-label="Menu"
          aria-expanded={menuOpened}
        />
        <Anchor component={Link} href="/" underline="never" c="inherit">
          <Text fw={750} size="xl" lts={-0.5}>
            Bidmesh
          </Text>
        </Anchor>
      </Group>
      <Group component="nav" aria-label="Main" visibleFrom="sm" gap={4} wrap="nowrap">
        <Places />
      </Group>
      <Group gap="xs" wrap="nowrap">
        <UserMenu />
        <ColorSchemeButton />
      </Group>
    </Column>
  )
}

/** On the column of what is below it. */
function Column({ children }: { children: ReactNode }) {
  return (
    <Box px="md" h="100%">
      <Container size="lg" px={0} h="100%">
        <Group h="100%" justify="space-between" wrap="nowrap">
          {children}
        </Group>
      </Container>
    </Box>
  )
}

function Places({ onGo }: { onGo?: () => void }) {
  const [location] = useLocation()
  const { userId, has } = useUser()
  // Who has not signed in yet may turn out to be anybody.
  const isOffered = ({ role }: Place) => role === undefined || userId === '' || has(role)
  return places
    .filter(isOffered)
    .map(({ href, label }) => (
      <NavLink
        key={href}
        component={Link}
        href={href}
        label={label}
        active={href === location}
        aria-current={href === location ? 'page' : undefined}
        {...(onGo && { onClick: onGo })}
        w="auto"
        bdrs="md"
      />
    ))
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={BrowsePage} />
      <Route path="/items/:itemId">
        {({ itemId }) => <ItemPage key={itemId} itemId={itemId} />}
      </Route>
      <Route path="/sell">
        <SellPage />
      </Route>
      <Route path="/items/:itemId/edit">
        {({ itemId }) => <SellPage key={itemId} itemId={itemId} />}
      </Route>
      <Route path="/my" component={MyPage} />
      <Route path="/market" component={MarketPage} />
      <Route component={NothingHere} />
    </Switch>
  )
}

function NothingHere() {
  useDocumentTitle('Nothing here · Bidmesh')
  return (
    <EmptyState title="There is nothing at this address">
      <Anchor component={Link} href="/">
        Browse auctions
      </Anchor>
    </EmptyState>
  )
}

function ColorSchemeButton() {
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light')
  const other = scheme === 'dark' ? 'light' : 'dark'
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={`Use ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  )
}
