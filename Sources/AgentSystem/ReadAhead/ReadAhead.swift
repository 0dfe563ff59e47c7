package import AgentCore
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Locking

/// Reads a plan's ranges into the page cache, by several threads that give way to everybody else.
package enum ReadAhead {
    package struct Outcome: Equatable, Sendable {
        package var bytes: UInt64 = 0
        /// Ended before the plan did, because memory was short.
        package var memoryWasShort = false
    }

    /// What a thread takes at a time; also how often memory is looked at.
    private static let piece: UInt64 = 4 << 20
    private static let bufferBytes = 1 << 20

    private struct Work {
        /// nil where the rest is left alone.
        var pieces: ReadAheadPieces?
        var outcome = Outcome()
    }

    /// Blocks until all is in memory or memory is short.
    ///
    /// Many threads, because disks that are far away answer many questions in the time of one. `spare` bytes of memory
    /// stay available; where `available` cannot tell, nothing is read. Not by readahead(2): of each request the kernel
    /// silently leaves out what is beyond the device's own window, 128 KiB on many.
    package static func run(
        _ plan: ReadAheadPlan, threads: Int, spare: UInt64,
        available: @escaping @Sendable () -> UInt64? = availableMemory
    ) -> Outcome {
        let work = WorkList(Work(pieces: ReadAheadPieces(plan, length: piece)))
        let ended = DispatchSemaphore(value: 0)
        for _ in 0..<threads {
            let failed = DetachedThread.start {
                clinux_background_thread()
                work.drain(spare: spare, available: available)
                ended.signal()
            }
            if failed != 0 { ended.signal() }
        }
        for _ in 0..<threads { ended.wait() }
        return work.outcome
    }

    package static func availableMemory() -> UInt64? {
        let bytes = (try? LinuxFileStore().read("/proc/meminfo", limit: 1 << 16)).flatMap { $0 } ?? []
        return KernelText.availableMemory(String(decoding: bytes, as: UTF8.self))
    }

    /// The pieces that are left, shared by the threads.
    private final class WorkList: Sendable {
        private let work: Mutex<Work>

        init(_ work: Work) { self.work = Mutex(work) }

        var outcome: Outcome { work.withLock { $0.outcome } }

        func drain(spare: UInt64, available: () -> UInt64?) {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ReadAhead.bufferBytes, alignment: 4096)
            defer { buffer.deallocate() }
            var open: (path: String, file: Descriptor)?
            while let piece = work.withLock({ $0.pieces?.next() }) {
                guard let free = available(), free > spare + ReadAhead.piece else {
                    work.withLock {
                        $0.outcome.memoryWasShort = true
                        $0.pieces = nil
                    }
                    return
                }
                if open?.path != piece.path {
                    open = (try? Descriptor.open(piece.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)).map {
                        (piece.path, $0)
                    }
                }
                // Gone since the plan was made: a new version is installed, and has a plan of its own soon.
                guard let file = open?.file else { continue }
                let bytes = Self.read(piece.range, of: file, through: buffer)
                work.withLock { $0.outcome.bytes += bytes }
            }
        }

        /// How much of it there was. What is read goes nowhere: the kernel keeps it.
        private static func read(
            _ range: Range<UInt64>, of file: Descriptor, through buffer: UnsafeMutableRawBufferPointer
        ) -> UInt64 {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(Int(range.upperBound - offset)))
                guard let count = try? file.read(into: wanted, at: Int64(offset)), count > 0 else { break }
                offset += UInt64(count)
            }
            return offset - range.lowerBound
        }
    }
}
