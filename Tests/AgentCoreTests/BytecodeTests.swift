internal import AgentCore
internal import Testing

@Suite("Compiled Python")
struct BytecodeTests {
    @Test("Is told where all of it is there")
    func complete() {
        var bytecode = Bytecode()
        bytecode.read(
            folder: ["__init__.py", "envs.py", "data.json"],
            cache: ["__init__.cpython-311.pyc", "envs.cpython-311.pyc"])
        #expect(bytecode.finding(neverWritten: true)?.level == .ok)
    }

    @Test("Is missed by name and number, with the variable that keeps it from being written")
    func missing() throws {
        var bytecode = Bytecode()
        bytecode.read(folder: ["a.py", "b.py"], cache: ["a.cpython-311.pyc", "b.cpython-311.pyc.123"])
        let finding = try #require(bytecode.finding(neverWritten: true))
        #expect(finding.level == .warn)
        #expect(finding.message.hasPrefix("1 of 2 "))
        #expect(finding.message.hasSuffix("PYTHONDONTWRITEBYTECODE is set"))
        #expect(bytecode.finding(neverWritten: false)?.message.contains("PYTHONDONTWRITEBYTECODE") == false)
    }

    @Test("Is not spoken of where there are no sources")
    func nothing() {
        #expect(Bytecode().finding(neverWritten: true) == nil)
    }
}
