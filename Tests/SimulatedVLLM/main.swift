// A stand-in for `vllm serve`: replays what a real one printed, with its timing, and answers the same endpoints.
// Its helpers are this same program under the titles of the real ones, so that supervisors see the same tree.
import Glibc

if let helper = HelperRole(arguments: CommandLine.arguments) {
    exit(helper.run())
}
exit(Simulation.main(CommandLine.arguments))
