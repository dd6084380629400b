/** How the page of a trace looks. */
export const traceStyle = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.note { color: #57606a; max-width: 52rem; }
figure { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem 1.5rem; }
svg { width: 100%; max-width: 30rem; height: auto; font: 11px system-ui, sans-serif; fill: #57606a; }
svg .title { font-size: 13px; font-weight: 600; fill: #1b1f24; } svg .grid { stroke: #e4e7eb; fill: none; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin-top: 1rem; } caption { font-weight: 600; text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; padding: .15rem 1rem .15rem 0; white-space: nowrap; border-bottom: 1px solid #e4e7eb; font-variant-numeric: tabular-nums; }
th { font-weight: 400; color: #57606a; }
.maps { display: flex; flex-wrap: wrap; gap: .8rem; }
.maps img { border: 1px solid #d0d7de; image-rendering: pixelated; } .map { width: 9rem; height: 9rem; } .patches { width: auto; height: 9rem; margin-left: .3rem; }
.scale { width: 6rem; height: .7rem; vertical-align: -.05rem; border: 1px solid #d0d7de; }
figcaption { font-size: 12px; color: #57606a; }
`;
