/// Text has a contrast of at least 4.5 : 1 on its ground, bars 3 : 1, in both schemes (WCAG 2.2, 1.4.3 and 1.4.11).
enum Stylesheet {
    static let text = """
        :root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de;
          --good: #116329; --bad: #b3161b; --moving: #0550ae; --ending: #7d4e00;
          --network: #0969da; --compute: #8250df; --other: #6e7781; }
        @media (prefers-color-scheme: dark) {
          :root { --ground: #0d1117; --text: #e6edf3; --quiet: #9198a1; --line: #30363d;
            --good: #3fb950; --bad: #ff7b72; --moving: #79c0ff; --ending: #d29922;
            --network: #58a6ff; --compute: #bc8cff; --other: #8b949e; } }
        body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem; }
        h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; }
        a { color: var(--moving); }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; }
        th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line);
          vertical-align: top; }
        tbody th { font-weight: 600; white-space: nowrap; }
        thead th { color: var(--quiet); font-weight: 400; }
        .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .drawing { min-width: 14rem; width: 40%; } .drawing svg { width: 100%; height: .9rem; display: block;
          margin-top: .3rem; }
        .quiet, .detail, .legend { color: var(--quiet); font-size: .9rem; }
        .badge { border: 1px solid currentcolor; border-radius: 1rem; padding: .1rem .6rem; font-size: .9rem;
          white-space: nowrap; }
        .good { color: var(--good); } .bad { color: var(--bad); } .moving { color: var(--moving); }
        .ending { color: var(--ending); } .plain { color: var(--quiet); }
        rect.network { fill: var(--network); } rect.compute { fill: var(--compute); } rect.other { fill: var(--other); }
        .key { display: inline-block; width: .8rem; height: .8rem; margin-left: .8rem; }
        .key.network { background: var(--network); } .key.compute { background: var(--compute); }
        .key.other { background: var(--other); }
        progress { width: 7rem; vertical-align: middle; accent-color: var(--moving); }
        .counts { display: flex; gap: 1.5rem; list-style: none; padding: 0; color: var(--quiet); }
        .failure { border-left: 4px solid var(--bad); padding-left: 1rem; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dt { color: var(--quiet); }
        dd { margin: 0; }
        .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
        """
}
