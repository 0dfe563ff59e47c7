"""Takes Python's imports out of the start of vLLM, without changing anything of vLLM.

`vllm serve` imports for seconds in its own process, and again in each process it spawns. Here a fork server imports
while the command does (`preload`), or both have done so before anybody knows what to serve (`park`).

Nothing outside of the standard library is imported before it must be; whatever is not as expected ends in plain
`vllm serve`, by exec, with a line that says why.
"""
