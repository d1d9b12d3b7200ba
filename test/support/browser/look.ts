import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import * as z from 'zod';

/** Where pictures of the pages go, for somebody to look at; unset: nowhere. */
const PICTURES = process.env['OUTRIDER_PICTURES'];

/** As axe reports them: the rule, and where it is broken. */
const Found = z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) }));

/** Every rule; and what another choice of colours can change. */
const RULES = { light: '', dark: `{ runOnly: ['color-contrast'] }` } as const;

/** CSS pixels: a phone of the narrowest kind (WCAG 2.2, 1.4.10). */
const NARROW = { width: 320, height: 640 };

/**
 * Looks at a page as people with various eyes and screens do: what axe finds against it in light and in dark, and whether it has to be moved sideways on a phone. Pictures of each are
 * kept where `OUTRIDER_PICTURES` says. The page is afterwards as it was.
 * @returns what is wrong; empty: nothing
 */
export async function look(page: Page, name: string): Promise<string[]> {
  const wrong: string[] = [];
  // The developer's tools run it, which no policy of the page forbids.
  await page.evaluate(axe.source);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const found = Found.parse(
      await page.evaluate(`axe.run(${RULES[colorScheme]}).then(({ violations }) => violations)`),
    );
    for (const { id, nodes } of found)
      wrong.push(...nodes.map(({ html }) => `${name}, ${colorScheme}: ${id}: ${html}`));
    await picture(page, `${name}-${colorScheme}`);
  }
  const size = page.viewportSize();
  await page.setViewportSize(NARROW);
  const width = z.number().parse(await page.evaluate('document.documentElement.scrollWidth'));
  if (width > NARROW.width) wrong.push(`${name}: ${width} pixels wide on a phone of ${NARROW.width}`);
  await picture(page, `${name}-narrow`);
  if (size !== null) await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: null });
  return wrong;
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}
