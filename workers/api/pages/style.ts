/** The one style of every page, in the browser's own colours, light or dark as the person has it. */
export const STYLE = `
  :root { color-scheme: light dark; }
  html { background: Canvas; color: CanvasText; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: min(12vh, 6rem) auto 3rem; padding: 0 1rem; overflow-wrap: anywhere; }
  header { opacity: .75; }
  h1 { font-size: 1.4rem; line-height: 1.3; margin: .3rem 0 1rem; }
  h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
  nav { border-top: 1px solid #8886; margin-top: 1.6rem; padding-top: .4rem; }
  nav a { display: inline-block; padding: .3rem 0; }
  nav ul { list-style: none; padding: 0; margin: 0; }
  a { color: light-dark(#04a, #8bf); }
  label { display: block; margin: .8rem 0; }
  input { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; margin-top: .2rem; border: 1px solid #888; border-radius: .25rem; }
  button { font: inherit; padding: .5rem 1.2rem; margin: .8rem .5rem 0 0; border: 1px solid #888; border-radius: .25rem; cursor: pointer; }
  button.main { background: #15c; border-color: #15c; color: #fff; }
  :focus-visible { outline: 3px solid light-dark(#15c, #8bf); outline-offset: 2px; }
  ul { padding-left: 1.2rem; }
  dl { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr; gap: .3rem 1rem; }
  dt { opacity: .75; }
  dd { margin: 0; }
  pre { font: .9rem/1.5 ui-monospace, monospace; white-space: pre-wrap; border: 1px solid #8886; border-radius: .25rem; padding: .5rem .7rem; }
  small { opacity: .75; }
  .code { font: 1.6rem ui-monospace, monospace; letter-spacing: .1em; }
  .wrong { border-left: .3rem solid #c33; padding-left: .7rem; }
`;
