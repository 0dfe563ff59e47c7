internal import ArgumentParser
@main struct ControlPlaneCommand: ParsableCommand {}
