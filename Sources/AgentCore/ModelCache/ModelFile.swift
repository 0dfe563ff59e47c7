/// A file of a model that an engine needs beside it on the disk.
package struct ModelFile: Equatable, Sendable {
    /// Below the model's prefix, and below its folder here.
    package var name: String
    package var bytes: UInt64
    /// What the store calls this content: its ETag, without quotes. nil where it tells none.
    package var tag: String?

    package init(name: String, bytes: UInt64, tag: String? = nil) {
        self.name = name
        self.bytes = bytes
        self.tag = tag
    }

    package var isWeights: Bool { name.hasSuffix(".safetensors") }

    /// The MD5 of the content in lower-case hexadecimal, where the tag looks like one: an upload in parts has a dash in
    /// its tag, and then it is none.
    package var digest: String? {
        guard let tag, tag.utf8.count == 32, tag.allSatisfy(\.isHexDigit) else { return nil }
        return tag.lowercased()
    }
}

extension ModelFile {
    /// Weights in other forms, which an engine that has safetensors never opens.
    private static let otherWeights = [
        ".bin", ".pt", ".pth", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".ot", ".tensors",
    ]
    /// Bytes of one component of a path, and of all of it.
    private static let longestComponent = 200
    private static let longestName = 1024

    /// What is downloaded: the top-level shards that the index names (all where there is none), and whatever is no
    /// weights. Small files first: they tell soonest whether the store's tags are digests.
    package static func wanted(of store: ObservedStore) -> [ModelFile] {
        var named: Set<String>?
        if case .found(let index) = store.index { named = index.files }
        return store.objects.filter { object in
            guard isSafe(object.name), !otherWeights.contains(where: object.name.hasSuffix) else { return false }
            guard object.name.hasSuffix(".safetensors") else { return true }
            return object.isTopLevelSafetensors && named?.contains(object.name) ?? true
        }.map { ModelFile(name: $0.name, bytes: $0.bytes, tag: $0.tag) }.sorted {
            ($0.isWeights ? 1 : 0, $0.name) < ($1.isWeights ? 1 : 0, $1.name)
        }
    }

    /// Names come from the network and become paths. A dot at the beginning is the cache's own.
    static func isSafe(_ name: String) -> Bool {
        guard name.utf8.count <= longestName, !name.utf8.contains(0) else { return false }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { component in
            !component.isEmpty && !component.hasPrefix(".") && component.utf8.count <= longestComponent
        } && !name.hasSuffix(partSuffix)
    }

    /// Of a file that is not whole yet.
    package static let partSuffix = ".part"
}
