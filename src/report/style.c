/* The style of report.html. Colours: Okabe and Ito's palette, which people with any kind of colour
 * vision tell apart; on the dark page its lighter members. SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "report/page.h"
#include "report/svg.h"

/* Nodes: seven of the palette's colours and a grey. */
#define PLACEMENT                                                                     \
  ".node{fill:none;stroke:var(--line)}.empty{fill:var(--faint);stroke:var(--line)}\n" \
  ".on0{--n:#0072b2}.on1{--n:#e69f00}.on2{--n:#009e73}.on3{--n:#cc79a7}\n"            \
  ".on4{--n:#56b4e9}.on5{--n:#d55e00}.on6{--n:#b3a600}.on7{--n:#8c8c8c}\n"            \
  ".seat{fill:var(--n);fill-opacity:.3;stroke:var(--n)}"                              \
  ".part{fill:var(--n);fill-opacity:.7}"

static const char *const lines[] = {
    ":root{color-scheme:light dark;--page:#f4f6f8;--card:#fff;--ink:#1a2027;--soft:#5a6572;",
    "--line:#dde2e8;--faint:#e9edf1;--train:#0072b2;--validation:#d55e00;--rate:#007a5a;",
    "--hit:0 114 178;--miss:213 94 0;--strong:#fff}",
    "@media (prefers-color-scheme:dark){:root{--page:#0f1317;--card:#181d23;--ink:#e7ebef;",
    "--soft:#9ba7b4;--line:#303841;--faint:#262e36;--train:#56b4e9;--validation:#f0a33f;",
    "--rate:#35c495;--hit:86 180 233;--miss:240 163 63;--strong:#0b0e11}}",
    "*{box-sizing:border-box}",
    "body{margin:0;background:var(--page);color:var(--ink);",
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',Ubuntu,sans-serif}",
    "main{max-width:1120px;margin:0 auto;padding:28px 20px 40px}",
    "header p{margin:0;color:var(--soft);overflow-wrap:anywhere}",
    "h1{margin:2px 0 4px;font-size:30px;line-height:1.2;letter-spacing:-.01em;",
    "overflow-wrap:anywhere}",
    "h2{margin:0 0 12px;font-size:16px}",
    "h2 small{font-weight:400;color:var(--soft);font-size:13px;margin-left:6px}",
    ".brand{font-size:13px;letter-spacing:.02em}",
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;",
    "margin:20px 0 14px}",
    ".row{display:flex;flex-wrap:wrap;gap:14px;margin-bottom:14px}",
    ".card,.tile{background:var(--card);border:1px solid var(--line);border-radius:10px}",
    ".card{flex:1 1 420px;min-width:0;padding:18px 20px}",
    ".card.whole{flex-basis:100%}",
    ".tile{padding:12px 16px}",
    ".tile span{display:block;font-size:13px;color:var(--soft)}",
    ".tile b{display:block;font-size:24px;line-height:1.3;font-weight:650;",
    "font-variant-numeric:tabular-nums}",
    ".tile.first b{color:var(--train)}",
    ".hash{margin:0 0 14px;font-size:13px;color:var(--soft);overflow-wrap:anywhere}",
    "code,pre{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}",
    "pre{margin:0;font-size:12.5px;line-height:1.5;white-space:pre-wrap;overflow-wrap:anywhere;",
    "tab-size:2}",
    "svg{display:block;width:100%;max-width:640px;height:auto;margin:0 auto;overflow:visible}",
    "svg text{font-size:12px;fill:var(--soft)}",
    "svg .strong{font-size:13px;font-weight:650;fill:var(--ink)}",
    ".grid{stroke:var(--faint)}.axis{stroke:var(--soft)}",
    ".mark{stroke:var(--soft);stroke-dasharray:2 3}",
    ".curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}",
    ".train{--c:var(--train)}.validation{--c:var(--validation)}.rate{--c:var(--rate)}",
    "g .curve{stroke:var(--c)}.validation .curve{stroke-dasharray:6 4;stroke-linecap:butt}",
    ".dot{fill:var(--c)}.ring{fill:none;stroke:var(--c);stroke-width:2}",
    ".link{fill:none;stroke:var(--soft);stroke-opacity:.28;stroke-width:.7}",
    ".neuron{fill:var(--card);stroke:var(--train);stroke-width:2}.dots{fill:var(--soft)}",
    PLACEMENT,
    ".placement{max-width:none}",
    ".scroll{overflow-x:auto}",
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}",
    ".list{width:100%}",
    ".list th,.list td{padding:4px 8px;text-align:right;border-bottom:1px solid var(--faint);",
    "white-space:nowrap}",
    ".list th{font-weight:500;color:var(--soft);font-size:13px}",
    ".list .name{text-align:left;color:var(--ink);font-size:15px;white-space:normal;",
    "overflow-wrap:anywhere;min-width:5em}",
    ".list thead .name{color:var(--soft);font-size:13px}",
    ".list .mean td,.list .mean th{border-bottom:0;border-top:1px solid var(--line);",
    "color:var(--soft)}",
    ".bar{background:linear-gradient(rgb(var(--hit)/.22),rgb(var(--hit)/.22)) ",
    "left/calc(var(--a)*100%) 100% no-repeat}",
    ".heat{margin:0 auto;font-size:13px}",
    ".heat td{min-width:33px;height:33px;padding:0 5px;text-align:center;",
    "border:1px solid var(--card);background:var(--faint);color:var(--soft)}",
    ".heat thead td{background:none;border:0}",
    ".heat th{font-weight:500;padding:2px 7px;white-space:nowrap}",
    ".heat tbody th{text-align:right;position:sticky;left:0;background:var(--card)}",
    ".heat .hit{background:rgb(var(--hit)/var(--a));color:var(--ink)}",
    ".heat .miss{background:rgb(var(--miss)/var(--a));color:var(--ink)}",
    ".heat .strong{color:var(--strong)}",
    ".turned thead span{writing-mode:vertical-rl;transform:rotate(180deg)}",
    ".turned thead th{vertical-align:bottom}",
    ".note{margin:10px 0 0;font-size:13px;color:var(--soft)}",
    "footer{margin-top:18px;font-size:13px;color:var(--soft);text-align:center}",
    "@media (max-width:520px){main{padding:18px 10px 28px}.card{padding:14px 12px}",
    ".tiles{grid-template-columns:repeat(2,1fr);gap:10px}.tile{padding:10px 12px}",
    ".tile b{font-size:20px}.list th,.list td{padding:4px 5px}h1{font-size:25px}}",
    "@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;",
    "--line:#ccc;--faint:#e8e8e8;--train:#0072b2;--validation:#d55e00;--rate:#007a5a;",
    "--hit:0 114 178;--miss:213 94 0;--strong:#fff}",
    "body{font-size:11px}main{max-width:none;padding:0}",
    ".card,.tile{break-inside:avoid}.card.text{break-inside:auto}",
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"};

void nu_page_style(nu_text *out) {
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    nu_text_add(out, lines[i]);
    if (i + 1 < sizeof lines / sizeof lines[0]) nu_text_add(out, "\n");
  }
}

void nu_svg_style(nu_text *out) {
  nu_text_add(
      out,
      "<style>\n:root{--ink:#1a2027;--soft:#5a6572;--line:#c3cad2;--faint:#e9edf1}\n"
      "@media (prefers-color-scheme:dark){:root{--ink:#e7ebef;--soft:#9ba7b4;--line:#48525d;"
      "--faint:#262e36}}\n"
      "text{font:12px system-ui,sans-serif;fill:var(--soft)}"
      ".strong{font-size:13px;font-weight:650;fill:var(--ink)}\n" PLACEMENT "\n</style>\n");
}
