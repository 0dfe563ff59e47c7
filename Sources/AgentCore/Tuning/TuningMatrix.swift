/// The concurrency tuning matrix of the product's R2 guide: what its authors expect, not what was measured. Its seconds
/// are those of the weights alone and need the link that `gigabitsNeeded` names.
package struct TuningMatrix: Sendable {
    package struct Row: Equatable, Sendable {
        /// Begins the name of the GPU.
        package var gpu: String
        package var gpus: Int
        /// Billions of parameters, in bfloat16.
        package var parameters: Double
        package var concurrency: Int
        /// Bytes.
        package var memoryLimit: Int64
        package var seconds: ClosedRange<Double>

        package var name: String { "\(gpus > 1 ? "\(gpus)x " : "")\(gpu), \(Int(parameters))B" }

        /// Gbit/s without which the slower of its seconds cannot be met.
        package var gigabitsNeeded: Double { parameters * 2 * 8 / seconds.upperBound }
    }

    package static let rows = [
        Row(gpu: "A10G", gpus: 1, parameters: 7, concurrency: 16, memoryLimit: 2 << 30, seconds: 5...8),
        Row(gpu: "A100", gpus: 1, parameters: 7, concurrency: 32, memoryLimit: 5 << 30, seconds: 4...6),
        Row(gpu: "A100", gpus: 1, parameters: 13, concurrency: 32, memoryLimit: 5 << 30, seconds: 6...10),
        Row(gpu: "A100", gpus: 1, parameters: 70, concurrency: 48, memoryLimit: 10 << 30, seconds: 15...23),
        Row(gpu: "A100", gpus: 4, parameters: 70, concurrency: 64, memoryLimit: 15 << 30, seconds: 8...12),
    ]

    /// The row nearest in size for this GPU and number of ranks; nil for a GPU that the matrix does not know.
    package static func row(gpu: String?, ranks: Int, weightBytes: UInt64) -> Row? {
        guard let gpu else { return nil }
        let parameters = Double(weightBytes) / 2e9
        let known = rows.filter { row in
            gpu.split(whereSeparator: { $0 == " " || $0 == "-" || $0 == "_" }).contains { $0 == row.gpu }
                && (row.gpus == 1 || ranks >= row.gpus)
        }
        return known.min { one, other in
            let distances = (abs(one.parameters - parameters), abs(other.parameters - parameters))
            return distances.0 == distances.1 ? one.gpus > other.gpus : distances.0 < distances.1
        }
    }
}
