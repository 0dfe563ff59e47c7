internal import Glibc

/// A NULL-terminated array of C strings, wiped before it is freed: one of the two such arrays holds credentials.
struct CStringArray: ~Copyable {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            pointers[index] = strdup(string)
        }
        pointers[count] = nil
    }

    deinit {
        for index in 0..<count {
            guard let string = pointers[index] else { continue }
            explicit_bzero(string, strlen(string))
            free(string)
        }
        pointers.deallocate()
    }
}
