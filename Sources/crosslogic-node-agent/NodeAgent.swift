internal import ArgumentParser
@main struct NodeAgent: ParsableCommand {}
