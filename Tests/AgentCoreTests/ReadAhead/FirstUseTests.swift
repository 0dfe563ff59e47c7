internal import AgentCore
internal import Testing

@Suite("The order in which a start needs files")
struct FirstUseTests {
    private let use = FirstUse(
        modules: ["vllm", "torch", "glob", "torch._C", "numpy", "_struct", "vllm.engine", "torch"])
    private let site = "/opt/engine/lib/python3.11/site-packages"

    @Test(
        "A module's file has its place, compiled or not",
        arguments: [
            ("vllm/__init__.py", 0), ("vllm/__pycache__/__init__.cpython-311.pyc", 0), ("torch/__init__.py", 1),
            ("torch/_C.cpython-311-x86_64-linux-gnu.so", 3), ("vllm/__pycache__/engine.cpython-311.pyc", 6),
            ("vllm/engine/__init__.py", 6),
        ])
    func module(_ path: String, _ place: Int) {
        #expect(use.place(of: "\(site)/\(path)") == place)
    }

    @Test("So has one of the standard library")
    func standardLibrary() {
        #expect(use.place(of: "/usr/lib/python3.11/__pycache__/glob.cpython-311.pyc") == 2)
        #expect(use.place(of: "/usr/lib/python3.11/lib-dynload/_struct.cpython-311-x86_64-linux-gnu.so") == 5)
    }

    @Test(
        "A library comes with its package",
        arguments: [("torch/lib/libtorch_cpu.so", 1), ("numpy.libs/libscipy_openblas64_-fdd.so", 4)])
    func library(_ path: String, _ place: Int) {
        #expect(use.place(of: "\(site)/\(path)") == place)
    }

    @Test("What the interpreter needs comes first, and what no import asks for last")
    func rest() {
        for path in ["/usr/lib/libpython3.11.so.1.0", "/opt/engine/bin/vllm", "/usr/lib/python3.11/encodings/utf_8.py"]
        {
            #expect(use.place(of: path) < 0)
        }
        #expect(use.place(of: "\(site)/openai-3.54.0.dist-info/RECORD") == .max)
    }

    @Test("A plan is read in that order, the largest first of what is needed at once")
    func plan() {
        func file(_ path: String, _ bytes: UInt64) -> ReadAheadPlan.File {
            ReadAheadPlan.File(path: path, ranges: [0..<bytes])
        }
        let files = [
            file("\(site)/other/data", 9), file("\(site)/torch/lib/libc10.so", 5),
            file("\(site)/torch/lib/libtorch_cpu.so", 7), file("\(site)/vllm/__init__.py", 1),
            file("/opt/engine/bin/vllm", 1),
        ]
        let names = ReadAheadPlan(files: files).inOrder(of: use).files.compactMap { $0.path.split(separator: "/").last }
        #expect(names == ["vllm", "__init__.py", "libtorch_cpu.so", "libc10.so", "data"])
    }

    @Test("Without a record of imports the largest come first")
    func unknown() {
        let files = [1, 3, 2].map { ReadAheadPlan.File(path: "\(site)/vllm/\($0).py", ranges: [0..<UInt64($0)]) }
        let plan = ReadAheadPlan(files: files).inOrder(of: FirstUse(modules: []))
        #expect(plan.files.map(\.bytes) == [3, 2, 1])
    }
}
