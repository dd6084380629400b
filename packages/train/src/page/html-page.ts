/** A page that needs no network: everything it shows is inside. */
export interface HtmlPage {
  readonly title: string;
  /** HTML below the heading. */
  readonly body: string;
  /** Beside the style of all pages. */
  readonly style?: string;
}

/** The document of a page. */
export function htmlPage({ title, body, style = '' }: HtmlPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${commonStyle}${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
</body>
</html>
`;
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** A text as HTML shows it, in elements and between double quotes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character]!);

/** Data for the scripts of a page, in an element of that id. */
export const embeddedJson = (id: string, data: unknown): string =>
  `<script type="application/json" id="${id}">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>`;

/** A table of texts and numbers as they are. */
export function htmlTable(names: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(String(cell))}</${tag}>`).join('')}</tr>`;
  return `<table class="figures">${line(names, 'th')}${rows.map((cells) => line(cells, 'td')).join('')}</table>`;
}

const commonStyle = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
.note { color: #57606a; max-width: 48rem; }
table { border-collapse: collapse; }
.figures { margin: 1rem 0; } .figures td, .figures th { text-align: left; padding: .1rem 1rem .1rem 0; font-variant-numeric: tabular-nums; }
`;
