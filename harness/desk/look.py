"""How the page looks: fonts of the reader's own machine, colours, and the few lines of script that it needs."""

import gradio as gr

# A click on a take of the tree tells which one.
PICK = """element.addEventListener('click', event => {
    const take = event.target.closest('[data-take]');
    if (take) trigger('click', {take: take.dataset.take});
});"""
HEAD = "<meta name='referrer' content='no-referrer'>"
CSS = """
.gradio-container { padding: 0 18px 18px !important; max-width: 1500px !important; margin: 0 auto !important; }
footer { display: none !important; }
.top header { display: flex; gap: 12px; align-items: baseline; padding: 12px 2px 4px; }
.top b { font-size: 20px; } .top span { color: var(--body-text-color-subdued); }
.desk { gap: 18px !important; }
.stage { position: relative; background: #111; border-radius: 10px; overflow: hidden; height: 340px; display: grid;
    place-items: center; color: #ddd; }
.stage video { width: 100%; height: 340px; object-fit: contain; image-rendering: pixelated; }
.stage.empty div, .stage.empty div * { color: #eee; }
.stage.empty div { text-align: center; line-height: 1.7; padding: 0 40px; }
.stage.empty i { font-style: normal; font-weight: 600; }
.stage .length { position: absolute; top: 8px; right: 10px; background: #000a; color: #fff;
    border-radius: 6px; padding: 2px 8px;
    font-size: 13px; }
.status { padding: 7px 10px; border-radius: 8px; background: var(--background-fill-secondary); min-height: 21px;
    overflow-wrap: anywhere; }
.status.bad { background: #fee2e2; color: #991b1b; } .status.good { background: #dcfce7; color: #166534; }
.status .bar { height: 6px; border-radius: 3px; background: #0002; margin-top: 6px; overflow: hidden; }
.status .bar div { height: 100%; background: #2563eb; transition: width .2s; }
.main button { font-size: 16px; white-space: nowrap; min-height: 48px; }
.acts button { font-size: 14px; white-space: nowrap; padding: 8px 4px; }
#image img { width: 100%; height: 100%; object-fit: contain; image-rendering: pixelated; }
.choice { font-size: 13px; color: var(--body-text-color-subdued); min-height: 20px; }
.tree { display: grid; gap: 10px 16px; grid-auto-columns: 112px; justify-content: start; overflow-x: auto; padding: 6px 6px 12px; }
.tree.none, .gauge.none { color: var(--body-text-color-subdued); font-size: 13px; display: block; }
.take { position: relative; display: flex; flex-direction: column; gap: 2px; border: 2px solid #cbd5e1; border-radius: 8px;
    padding: 4px; background: var(--background-fill-primary); cursor: pointer; text-align: left; opacity: .55; min-width: 0; }
.take.on { border-color: #2563eb; opacity: 1; } .take.head { box-shadow: 0 0 0 2px #2563eb55; }
.take.chosen { outline: 3px solid #f59e0b; outline-offset: 1px; opacity: 1; }
.take img { width: 100%; height: 58px; object-fit: contain; image-rendering: pixelated; background: #111; border-radius: 4px; }
.take .what { font-size: 11px; white-space: nowrap; } .take .prompt { font-size: 10px; overflow: hidden; text-overflow: ellipsis;
    white-space: nowrap; color: var(--body-text-color-subdued); }
.take:not(.first)::before { content: ''; position: absolute; right: 100%; bottom: 50%; width: 12px; pointer-events: none;
    height: calc(var(--up) * (100% + 10px)); border-left: 2px solid #94a3b8; border-bottom: 2px solid #94a3b8; }
.gauge { display: grid; gap: 8px; }
.dial { display: grid; grid-template-columns: 76px 1fr 52px; align-items: center; column-gap: 8px; }
.dial output { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
.dial small { grid-column: 1 / -1; font-size: 11px; color: var(--body-text-color-subdued); line-height: 1.25; }
.dial.number output { grid-column: 3; } .dial svg { width: 100%; }
.dial polyline { fill: none; stroke: #2563eb; stroke-width: 2; vector-effect: non-scaling-stroke; } .dial circle { fill: #2563eb; }
"""


def theme() -> gr.themes.Base:
    """Gradio's plain one, without fonts of elsewhere."""
    return gr.themes.Default(
        primary_hue="blue", font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"), spacing_size="sm"
    )
